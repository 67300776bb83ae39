/**
 * The two ways of saying no: to a client, as a value, and to who starts the server, as an error.
 */

/**
 * A client's mistake, as a value: what the engine answers instead of doing the thing. It becomes
 * an error reply at the edge. The message starts with the error code ("ERR …"), names what was
 * wrong with which value and what is allowed, and is ASCII but for the values it quotes.
 */
export class Refusal {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export const notFound = new Refusal("ERR dispenser not found");
export const exhausted = new Refusal("ERR number range exhausted");

/** Why ADVANCE leaves a line where it stands. */
export function refusePastEnd(name: string, number: string): Refusal {
  return new Refusal(
    `${exhausted.message}: ${quoted(name)} has no number from ${number} on, and stays where it is`,
  );
}

/** As long as a name may be. */
const QUOTED_BYTES_MAX = 255;

/** A client's own value in quotes, cut to a length that an error line can bear. */
export function quoted(value: string): string {
  return value.length <= QUOTED_BYTES_MAX
    ? `'${value}'`
    : `'${value.slice(0, QUOTED_BYTES_MAX)}...'`;
}

/** A value that a field or an argument cannot have: `allowed` says which it can. */
export function invalid(name: string, value: string, allowed: string): Refusal {
  return new Refusal(`ERR invalid ${name} ${quoted(value)}: ${allowed}`);
}

/**
 * The server cannot start in this environment: the message is one line that says what and where.
 * No number was handed out.
 */
export class CannotStart extends Error {
  override readonly name = "CannotStart";
}

/** What an error of the operating system says, without the path that the caller names. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const text = message.replace(/^[A-Z]+: /, "").replace(/, \w+( '.*')?$/, "");
  return code === undefined || text.includes(code) ? text : `${text} (${code})`;
}
