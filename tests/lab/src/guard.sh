# Ends a lab's processes when the lab is gone, however it went. $1 is the lab's folder.
# It reads lines from a pipe whose other end only the lab holds; the end of the file is its sign.
trap '' INT TERM HUP
groups= keep=logs
while read -r word value; do
  case $word in
    add) groups="$value $groups" ;;
    del)
      rest=
      for group in $groups; do [ "$group" = "$value" ] || rest="$rest $group"; done
      groups=$rest ;;
    keep) keep=$value ;;
  esac
done
# Nobody is left to wait for a graceful end, and the data goes too. SIGKILL at once: an API server
# that has lost its etcd ignores SIGTERM for minutes.
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
case $keep in
  everything) ;;
  nothing) rm -rf "$1" || { sleep 1; rm -rf "$1"; } ;;
  *) for path in "$1"/*; do [ "$path" = "$1/logs" ] || rm -rf "$path"; done ;;
esac
