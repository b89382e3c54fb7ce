#!/bin/sh
# install.sh VERSION: NetBox of this version from PyPI in /opt/netbox.
set -eu
cd /opt/netbox
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
python3 -m venv .
bin/pip download --quiet --no-deps --dest /tmp "netbox==$1"
python3 -m zipfile -e "/tmp/netbox-$1-"*.whl /tmp/netbox
# It wants a driver of PostgreSQL that is compiled here; there is the same one compiled, for which no compiler is needed.
sed -n 's/^Requires-Dist: //p' /tmp/netbox/*.dist-info/METADATA | grep -v 'extra ==' |
    sed 's/^psycopg\[c,/psycopg[binary,/' >/tmp/requirements
bin/pip install --quiet --only-binary=:all: --requirement /tmp/requirements
bin/pip install --quiet --no-deps "/tmp/netbox-$1-"*.whl
