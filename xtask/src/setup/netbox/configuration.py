"""Settings of a NetBox that only tests ask."""

from os import environ

ALLOWED_HOSTS = ['*']
DATABASES = {'default': {'NAME': 'netbox', 'USER': 'postgres', 'HOST': '/run/postgresql'}}
REDIS = {
    'tasks': {'URL': 'unix:///run/redis.sock?db=0'},
    'caching': {'URL': 'unix:///run/redis.sock?db=1'},
}
SECRET_KEY = 'known to everybody and used for nothing that anybody has to keep'
API_TOKEN_PEPPERS = {1: SECRET_KEY}
MAX_PAGE_SIZE = int(environ.get('NETBOX_LARGEST_PAGE', '1000'))
