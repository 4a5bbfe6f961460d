#!/bin/sh
# What curl is mostly asked for, done by wget: GET and POST with headers, to the standard output or a file.
url='' file=- seconds=300 fail='' posted=''
left=$#
while [ $left -gt 0 ]; do
  case $1 in
    -V | --version) echo "curl: a few lines around busybox's wget"; exit 0 ;;
    -s | -S | -L | -i | -sS | -sL | -Ss | --silent | --show-error | --location | --include) ;;
    -f | -sf | -fs | -fsS | -sfL | -fsL | -fsSL | --fail) fail=1 ;;
    -k | --insecure) set -- "$@" --no-check-certificate ;;
    -o | --output) file=$2; shift; left=$((left - 1)) ;;
    -d | --data | --data-binary | --data-raw) posted=1; data=$2; shift; left=$((left - 1)) ;;
    -H | --header) set -- "$@" --header "$2"; shift; left=$((left - 1)) ;;
    -m | --max-time) seconds=$2; shift; left=$((left - 1)) ;;
    -X | --request)
      case $2 in GET) ;; POST) posted=1 ;; *) echo "curl: this guest's curl does not know the method $2" >&2; exit 2 ;; esac
      shift; left=$((left - 1)) ;;
    -*) echo "curl: this guest's curl does not know $1" >&2; exit 2 ;;
    *) url=$1 ;;
  esac
  shift; left=$((left - 1))
done
[ -z "$posted" ] || set -- "$@" --post-data "$data"
said=/tmp/.curl.$$
timeout "$seconds" wget -q -O "$file" "$@" "$url" 2>$said; status=$?
told=$(cat $said; rm -f $said)
[ $status = 0 ] && exit 0
# As curl: an answer that tells an error is no failure unless asked for (-f); no answer always is one.
case $told in *'server returned error'*) [ -z "$fail" ] && exit 0; echo "curl: (22) $told" >&2; exit 22 ;; esac
echo "curl: (7) ${told:-no answer}" >&2
exit 7
