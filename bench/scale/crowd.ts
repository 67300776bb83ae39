/**
 * Holds idle connections in a process of its own, because one process may not have both ends of all
 * of them open. Run it with a port and how many; it prints a line when all are open, and ends when
 * its standard input does.
 */

const [port, count] = process.argv.slice(2).map(Number) as [number, number];
/** How many are opened at a time, because the server's queue of new connections is short. */
const AT_ONCE = 100;

for (let open = 0; open < count; open += AT_ONCE) {
  const some = Array.from({ length: Math.min(AT_ONCE, count - open) }, () =>
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data() {},
        close() {
          console.error("the server closed a connection");
          process.exit(1);
        },
      },
    }),
  );
  await Promise.all(some);
}
console.log("open");
await Bun.stdin.text();
process.exit(0);

/** A module, so that its names are its own. */
export {};
