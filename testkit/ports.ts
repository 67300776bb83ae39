/** Below the ports that systems give to who asks for any, be it a listener or the near end of a connection. */
const FIRST = 12_000;
const COUNT = 20_000;
const TRIES_MAX = 100;

/**
 * A port of the loopback interface that nobody listens on now, and that nobody gets who asks for any: who connects
 * again and again to one of those, while its server is down, is connected to himself one day.
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
