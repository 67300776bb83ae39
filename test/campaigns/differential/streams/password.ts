/** What clients are answered where the password "secret" is set. */

import { encodeRequest } from "../../../../testkit/resp.ts";
import { ended, line, lines, normalised, streamsOf } from "../stream.ts";

const LOGIN = line("AUTH secret");
const manyWords = (count: number) => encodeRequest(...Array.from({ length: count }, () => "a"));

const outside = streamsOf("before AUTH", {
  "nothing at all": ended([]),
  PING: lines("PING", "PING a"),
  ECHO: line("ECHO a"),
  "names and the server": lines(
    "EXISTS a",
    "DBSIZE",
    "KEYS *",
    "SCAN 0",
    "CONFIG GET save",
    "TIME",
  ),
  "commands that only look": lines("COMMAND COUNT", "COMMAND", "INFO", "CLIENT ID", "CLIENT LIST"),
  "GET, MGET, HSET and DEL": lines("GET a", "MGET a b", "HSET a type 3", "HMSET a b c", "DEL a"),
  SELECT: lines("SELECT 0", "SELECT x"),
  CLIENT: lines("CLIENT SETNAME a", "CLIENT REPLY OFF", "CLIENT KILL x"),
  "an unknown command": lines("NOSUCH", "NOSUCH a b"),
  "an unknown subcommand": lines("CLIENT NOSUCH", "CONFIG NOSUCH", "COMMAND NOSUCH"),
  "a wrong number of arguments": lines("ECHO", "GET", "PING a b", "TIME x"),
  "a wrong number of arguments of a subcommand": lines("CLIENT SETNAME", "CONFIG GET", "CLIENT"),
  "a wrong option": lines("SCAN 0 x", "SCAN x", "CLIENT REPLY maybe", "HELLO 3 x"),
  "MULTI, EXEC, DISCARD": lines("MULTI", "EXEC", "DISCARD", "PING"),
  "MULTI and AUTH behind it": lines("MULTI", "AUTH secret", "MULTI", "PING", "EXEC"),
  RESET: lines("RESET", "PING"),
  "RESET with an argument": lines("RESET a"),
  QUIT: lines("QUIT", "PING"),
  "QUIT with arguments": lines("QUIT a b", "PING"),
  "AUTH without an argument": line("AUTH"),
  "AUTH with three arguments": line("AUTH a b c"),
  "an empty line and an empty request": "\r\n*0\r\nPING\r\n",
  "an HTTP POST": "POST / HTTP/1.1\r\nPING\r\n",
  "a protocol error": "*x\r\n",
  "unbalanced quotes": lines('ECHO "a'),
  "SHUTDOWN with wrong words": line("SHUTDOWN x y z"),
});

const limits = streamsOf("limits before AUTH", {
  "ten words": `${manyWords(10)}${LOGIN}`,
  "eleven words": `${manyWords(11)}${LOGIN}`,
  "eleven words, the header alone": ended("*11\r\n"),
  "2^31 words": ended("*2147483648\r\n"),
  "1,000,000 words": ended("*1000000\r\n"),
  "a word that is no number": "*11x\r\n",
  "a bulk of 16,384 bytes": `${encodeRequest("ECHO", "a".repeat(16_384))}${LOGIN}`,
  "a bulk of 16,385 bytes": ended("*2\r\n$4\r\nECHO\r\n$16385\r\n"),
  "a bulk of 16,385 bytes, the first word": ended("*2\r\n$16385\r\n"),
  "a bulk of a negative length": ended("*2\r\n$-1\r\n"),
  "a bulk of 2^40 bytes": ended("*2\r\n$1099511627776\r\n"),
  "a line of 60,000 bytes": line(`ECHO ${"a".repeat(60_000)}`),
  "a line of twenty words": line(`NOSUCH${" a".repeat(20)}`),
  "gone after AUTH": `${LOGIN}${encodeRequest("EXISTS", ...Array.from({ length: 20 }, (_, index) => String(index)))}`,
  "gone after AUTH, for bulks": `${LOGIN}${encodeRequest("ECHO", "a".repeat(20_000))}`,
  "back after RESET": [LOGIN, line("RESET"), manyWords(11)],
  "good commands in front": `${lines("PING", "AUTH")}*11\r\n`,
});

const inside = streamsOf("AUTH", {
  "the password": lines("AUTH secret", "PING"),
  "in lower case": lines("auth secret", "PING"),
  "the default user": lines("AUTH default secret", "PING"),
  twice: lines("AUTH secret", "AUTH secret", "PING"),
  "in a piece of its own": [LOGIN, line("PING")],
  "in one piece with others": lines("PING", "AUTH secret", "PING"),
  "three arguments when logged in": lines("AUTH secret", "AUTH a b c"),
  "RESET logs out": lines("AUTH secret", "PING", "RESET", "PING", "AUTH secret", "PING"),
  "RESET goes back to RESP2": lines("HELLO 3 AUTH default secret", "RESET", "PING"),
  "a transaction": lines("AUTH secret", "MULTI", "PING", "EXEC"),
  "within a transaction": lines("AUTH secret", "MULTI", "AUTH secret", "PING", "EXEC"),
  "RESET within a transaction": lines("AUTH secret", "MULTI", "RESET", "EXEC"),
  "HELLO within a transaction": lines(
    "AUTH secret",
    "MULTI",
    "HELLO 3 AUTH default secret",
    "CLIENT GETNAME",
    "EXEC",
    "PING",
  ),
  "HELLO with a wrong option within a transaction": lines(
    "AUTH secret",
    "MULTI",
    "HELLO 4",
    "EXEC",
  ),
  "QUIT within a transaction": lines("AUTH secret", "MULTI", "PING", "QUIT", "EXEC"),
  "RESET and AUTH within a transaction": lines(
    "AUTH secret",
    "MULTI",
    "PING",
    "RESET",
    "AUTH secret",
    "EXEC",
    "PING",
  ),
  "after a transaction that was refused": lines("MULTI", "AUTH secret", "EXEC", "PING"),
  "behind what was refused, in pieces": ["GET a\r\n", "AUTH sec", "ret\r\n", "PING\r\n"],
  "the number of the client": normalised(["integers"], lines("AUTH secret", "CLIENT ID")),
});

const hello = streamsOf("HELLO where a password is set", {
  "without arguments": lines("HELLO", "PING"),
  "3": lines("HELLO 3", "PING"),
  "2": lines("HELLO 2", "PING"),
  "4": line("HELLO 4"),
  "a word": line("HELLO x"),
  "with a name": lines("HELLO 3 SETNAME a", "AUTH secret", "CLIENT GETNAME"),
  "with a bad name": line('HELLO 3 SETNAME "a b"'),
  "a wrong option": line("HELLO 3 x"),
  "AUTH without a password": line("HELLO 3 AUTH default"),
  AUTH: lines("HELLO 3 AUTH default secret", "PING", "CLIENT GETNAME"),
  "AUTH in RESP2": lines("HELLO 2 AUTH default secret", "PING", "CLIENT GETNAME"),
  "AUTH and SETNAME": lines("HELLO 3 AUTH default secret SETNAME a", "CLIENT GETNAME"),
  "AUTH and a wrong option": lines("HELLO 3 AUTH default secret x", "PING", "CLIENT GETNAME"),
  "AUTH and a bad name": lines('HELLO 3 AUTH default secret SETNAME "a b"', "PING"),
  "AUTH and version 4": lines("HELLO 4 AUTH default secret", "PING"),
  "after AUTH": lines("AUTH secret", "HELLO 3", "HELLO"),
});

/** Each is answered late, on purpose: so there are few, and they go first. */
const wrong = streamsOf("a wrong password", {
  AUTH: lines("AUTH wrong", "PING"),
  "of the default user": lines("AUTH default wrong", "PING"),
  "that is empty": encodeRequest("AUTH", ""),
  "that begins like the right one": lines("AUTH secre"),
  "and then the right one": lines("AUTH wrong", "AUTH secret", "PING"),
  "of a user there is not": lines("AUTH nosuch secret", "PING"),
  "does not log out": lines("AUTH secret", "AUTH wrong", "PING"),
  "in HELLO": lines("HELLO 3 AUTH default wrong SETNAME a", "PING"),
  "within a transaction": lines("AUTH secret", "MULTI", "AUTH wrong", "PING", "EXEC", "PING"),
  "in HELLO within a transaction": lines(
    "AUTH secret",
    "MULTI",
    "HELLO 3 AUTH default wrong",
    "EXEC",
    "PING",
  ),
  "twice, and then the right one in HELLO": lines(
    "AUTH wrong",
    "AUTH default wrong",
    "HELLO 3 AUTH default secret",
    "PING",
  ),
  "of a user there is not, in HELLO": lines("HELLO 3 AUTH nosuch secret"),
});

export const passwordStreams = [...wrong, ...outside, ...limits, ...inside, ...hello];
