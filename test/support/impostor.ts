/** Programs that are not the server, and what `health` says of them. */

import type { Socket } from "bun";
import type { ServerSettings } from "../../src/cli/connection.ts";
import { health } from "../../src/cli/inspect.ts";

export const PASSWORD = "SECRET-password";
export const loggedIn = { NUMBER_DISPENSER_PASSWORD: PASSWORD };

/** What health says: its status, and its reason if it is not well. */
export async function stateOf(settings: ServerSettings, environment = {}, limitSeconds = 3) {
  const { text } = await health(settings, environment, limitSeconds, true);
  const { status, reason } = JSON.parse(text);
  return [status, reason];
}

/** A false server, which remembers what it got and answers each piece, or greets, with a text. */
export function impostor(
  answer: string | undefined,
  { greeting = "", tls = undefined as object | undefined } = {},
) {
  const got: string[] = [];
  const listener = Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0, ...(tls && { tls }) },
    socket: {
      open: (socket: Socket) => void (greeting !== "" && socket.end(greeting)),
      data(socket: Socket, chunk: Buffer) {
        got.push(chunk.toString());
        if (answer === "") socket.end();
        else if (answer !== undefined) socket.write(answer);
      },
    },
  });
  return { port: listener.port, got, stop: () => listener.stop(true) };
}
