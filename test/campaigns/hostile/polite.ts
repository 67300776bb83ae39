/** Clients that do nothing wrong: each takes numbers of a durable line, one at a time. */

import { encodeRequest } from "../../../testkit/resp.ts";
import { type Attacker, addressOf, crowd, resetAll } from "./attacker.ts";

const GET = encodeRequest("GET", "durable");
/** A whole reply to it. */
const NUMBER = /^\$\d+\r\n\d+\r\n$/;

/**
 * Connects so many of them, lets each take so many numbers, and throws where one was closed, or was
 * answered anything else. `meanwhile` is called once all are connected and wait for a number.
 */
export async function servePolitely(
  { port, logIn }: { readonly port: number; readonly logIn: string },
  clients: number,
  numbers: number,
  meanwhile: () => Promise<void> = async () => {},
): Promise<void> {
  const left = new Map<Attacker, number>();
  const isServed = Promise.withResolvers<void>();
  let served = 0;
  const onData = (client: Attacker, chunk: Buffer) => {
    const reply = chunk.toString("latin1").replace(/^\+OK\r\n/, "");
    if (reply === "") return;
    if (!NUMBER.test(reply)) isServed.reject(new Error(`a GET was answered ${reply}`));
    const more = left.get(client)! - 1;
    left.set(client, more);
    if (more > 0) void client.send(GET);
    else if (++served === clients) isServed.resolve();
  };
  const hello = (client: Attacker) => {
    left.set(client, numbers);
    void client.send(logIn + GET);
    void client.closed.promise.then(() => isServed.reject(new Error("a client was closed")));
  };
  const all = await crowd(port, clients, (index) => ({ onData, from: addressOf(index) }), hello);
  if (all.length < clients) throw new Error(`${clients - all.length} clients were refused`);
  await Promise.all([isServed.promise, meanwhile()]);
  resetAll(all);
}
