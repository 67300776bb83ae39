/**
 * The two ways of saying no: a Refusal, a value, to a client; CannotStart, an error, to the
 * operator.
 */

/**
 * A client's mistake, returned instead of a result; the server makes an error reply of it. The
 * message starts with the error code ("ERR …"), says which value is wrong and what is allowed, and
 * is ASCII except for the values it quotes.
 */
export class Refusal {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** Nobody defined this name, or it was deleted. */
export function notFound(name: string): Refusal {
  return new Refusal(`ERR dispenser not found: ${quoted(name)}`);
}

/** The line of this name is at its end. */
export function exhausted(name: string, until?: string): Refusal {
  const end = until === undefined ? "" : ` until ${until}`;
  return new Refusal(`ERR number range exhausted${end}: ${quoted(name)}`);
}

/** Why ADVANCE leaves a line where it stands. */
export function refusePastEnd(name: string, number: string): Refusal {
  return new Refusal(
    `${exhausted(name).message} has no number from ${number} on, and stays where it is`,
  );
}

/** The longest name a dispenser may have. */
const QUOTED_BYTES_MAX = 255;

/** A client's value in quotes, cut where it would make the error line too long. */
export function quoted(value: string): string {
  return value.length <= QUOTED_BYTES_MAX
    ? `'${value}'`
    : `'${value.slice(0, QUOTED_BYTES_MAX)}...'`;
}

/** Refuses a value of a field or an argument; `allowed` says which values it can have. */
export function invalid(name: string, value: string, allowed: string): Refusal {
  return new Refusal(`ERR invalid ${name} ${quoted(value)}: ${allowed}`);
}

/**
 * The server cannot start in this environment. The message is one line that says what is wrong and
 * where. No number was handed out.
 */
export class CannotStart extends Error {
  override readonly name = "CannotStart";
}

/** The text of an operating system error, without the path: the caller names that. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const text = message.replace(/^[A-Z]+: /, "").replace(/, \w+( '.*')?$/s, "");
  return code === undefined || text.includes(code) ? text : `${text} (${code})`;
}
