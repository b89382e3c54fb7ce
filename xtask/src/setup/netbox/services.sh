#!/bin/sh
# services.sh FOLDER COMMAND…: the command, with a PostgreSQL whose tables are in the folder and with a Redis. Both are
# reached by sockets in /run alone.
set -eu
tables=$1
shift
programs=$(echo /usr/lib/postgresql/*/bin)
postgres() {
    name=$1
    shift
    setpriv --reuid=postgres --regid=postgres --clear-groups "$programs/$name" --pgdata="$tables" "$@"
}
mkdir -p /run/postgresql "$tables"
chown postgres /run/postgresql "$tables"
if [ ! -e "$tables/PG_VERSION" ]; then
    postgres initdb --auth=trust --encoding=UTF8 --locale=C.UTF-8 >/dev/null
fi
# What it has written is of use only if it ends as it should.
settings="-c listen_addresses= -c unix_socket_directories=/run/postgresql -c fsync=off"
postgres pg_ctl --log=/tmp/postgresql.log --wait --options="$settings" start >/dev/null
redis-server --port 0 --unixsocket /run/redis.sock --save '' --dir /tmp --daemonize yes >/dev/null
"$@"
postgres pg_ctl --wait --mode=fast stop >/dev/null
