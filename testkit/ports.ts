/** The first port to try: below those that systems choose for sockets that ask for any port. */
const FIRST = 12_000;
const COUNT = 20_000;
const TRIES_MAX = 100;

/**
 * A port of the loopback interface that nobody listens on now, and that the system does not choose
 * by itself. A client that retries a port of the system's choice while its server is down can end
 * up connected to itself.
 */
export function freePort(): number {
  for (let tries = 1; ; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
    }
  }
}
