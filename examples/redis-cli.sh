#!/bin/sh
# Numbers with redis-cli: PORT=6380 sh examples/redis-cli.sh
set -eu

# With -e a refused command has the exit status 1, and the refusal goes to stderr. Without it a script
# would take the text of the refusal for a number.
cli() {
  redis-cli -e -h 127.0.0.1 -p "${PORT:-6380}" "$@"
}

# Define: once, or at every start, as what is defined already stays as it is. The strategy is chosen here:
# pre_close is fast, and skips up to 5 % of the numbers in a crash; elegant_close (the default) skips none.
cli HSET order_id type 3 starting 1000 auto_disk pre_close >/dev/null
cli HSET invoice type 2 length 6 starting 1 auto_disk elegant_close >/dev/null

# Takes a number, and waits for one while the server is away, or cannot write.
take() {
  until reply=$(cli GET "$1" 2>&1); do
    case $reply in
      # Where the connection broke, a number may have been on its way. Nobody else gets it: it is skipped.
      "Could not connect "* | "Error: "* | "ERR storage unavailable"* | "ERR store unavailable"*)
        sleep 1
        ;;
      # Any other refusal stays one: the name is not defined, its line has ended, a right is missing.
      *)
        echo "$reply" >&2
        return 1
        ;;
    esac
  done
  echo "$reply"
}

# Lines, in one line.
joined() {
  paste -s -d , - | sed 's/,/, /g'
}

# Take. Numbers are strings, to be kept so: in arithmetic the shell takes 000010 for an octal number, 8.
number=$(take order_id)
echo "one: $number"
number=$(take invoice)
echo "without gaps: $number"

# Take many at once: in one command of all or none, or by several commands on one connection. A refusal of one
# of those is a line among the numbers, and the exit status is 0 even so, despite -e.
numbers=$(cli MGET order_id order_id order_id)
echo "many: $(echo "$numbers" | joined)"
numbers=$(printf '%s\n' "GET order_id" "GET order_id" | cli)
echo "pipelined: $(echo "$numbers" | joined)"
# Before the numbers of a transaction come OK, QUEUED and QUEUED.
transaction=$(printf '%s\n' MULTI "GET order_id" "GET invoice" EXEC | cli)
echo "in a transaction: $(echo "$transaction" | tail -n +4 | joined)"

# Reconnect: there is nothing to do, as each call is a connection of its own.
number=$(take order_id)
echo "connected again: $number"

info=$(cli INFO order_id)
echo "next: $(echo "$info" | tr -d '\r' | sed -n 's/^current://p')"

# Errors.
refused() {
  "$@" 2>&1 >/dev/null | sed 's/^/refused: /'
}
cli HSET one_digit type 2 length 1 starting 9 >/dev/null
take one_digit >/dev/null 2>&1 || true
refused take nobody
refused take one_digit
refused cli HSET order_id step 7
refused cli HSET voucher type 1 length 19
