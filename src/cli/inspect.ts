/**
 * `number-dispenser health` and `number-dispenser info [name]`: show what the server on this
 * machine reports.
 */

import { CannotStart } from "../base/errors.ts";
import { type Client, ErrorReply } from "./client.ts";
import { ask, type Environment, FULL, type ServerSettings, withServer } from "./connection.ts";
import { type statuses, Unreachable } from "./unreachable.ts";

/** The result of `health`. */
export interface Health {
  readonly isWell: boolean;
  /** One line, or JSON. */
  readonly text: string;
}

/**
 * Whether the server answers within the limit, can write, and is ready for clients. Throws
 * CannotStart if the server cannot be asked.
 */
export async function health(
  settings: ServerSettings,
  environment: Environment,
  limitSeconds: number,
  isJson: boolean,
): Promise<Health> {
  const show = (status: (typeof statuses)[number], words: string, state: object): Health => ({
    isWell: status === "ok",
    text: isJson ? JSON.stringify({ status, ...state }) : words,
  });
  try {
    return await withServer(settings, environment, limitSeconds, async (client) => {
      const began = performance.now();
      await ask(client, "PING");
      const answeredMs = Math.round((performance.now() - began) * 100) / 100;
      const fields = infoFields(await ask(client, "INFO", "persistence", "cluster", "clients"));
      const { storage_status: storage = "?", storage_error, cluster_store_status: store } = fields;
      const state = { answered_ms: answeredMs, storage, ...(store && { store }) };
      if (storage !== "ok") {
        const words = `the server answers, but its storage is ${storage}: ${storage_error}`;
        return show("unwell", words, { ...state, reason: storage_error });
      }
      const reason = await whyNotReady(client, fields.cluster_store_error);
      if (reason !== undefined) {
        const words = `the server answers, but is not ready: ${reason}`;
        return show("not_ready", words, { ...state, reason });
      }
      // As a client on the server's machine this program gets in all the same.
      if (fields.clients_full === "1") {
        return show("full", `the server ${FULL}`, { ...state, reason: `it ${FULL}` });
      }
      const shared = store === undefined ? "" : `, store ${store}`;
      return show("ok", `ok: answered in ${answeredMs} ms, storage ${storage}${shared}`, state);
    });
  } catch (error) {
    if (!(error instanceof CannotStart) || !isJson) throw error;
    const status = error instanceof Unreachable ? error.trouble : "refused";
    return show(status, "", { reason: error.message });
  }
}

/**
 * Why the server should get no clients, as READY tells balancers, and what is wrong with its lease
 * store; undefined if it should.
 */
async function whyNotReady(
  client: Client,
  storeError: string | undefined,
): Promise<string | undefined> {
  try {
    await client.command("READY");
    return undefined;
  } catch (error) {
    const said = error instanceof ErrorReply && /^NOTREADY (.*)$/s.exec(error.message)?.[1];
    if (said)
      return storeError === undefined
        ? said
        : said.replace(": see INFO cluster", `: ${storeError}`);
    // A server of another version may not know the command.
    if (error instanceof ErrorReply) return undefined;
    throw error;
  }
}

/** The reply of INFO, for the server or for one dispenser, as text or as JSON. */
export function info(
  name: string | undefined,
  settings: ServerSettings,
  environment: Environment,
  limitSeconds: number,
  isJson: boolean,
): Promise<string> {
  return withServer(settings, environment, limitSeconds, async (client) => {
    const words: [string, ...string[]] =
      name === undefined ? ["INFO"] : ["INFO", "dispenser", name];
    const text = String(await ask(client, ...words)).replaceAll("\r\n", "\n");
    return isJson ? JSON.stringify(infoFields(text)) : text.trimEnd();
  });
}

/** The fields of a reply of INFO, from its lines of field:value. */
export function infoFields(text: unknown): Record<string, string> {
  const lines = String(text).split(/\r?\n/);
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, field, value] = /^([a-z_0-9]+):(.*)$/.exec(line) ?? [];
      return field === undefined ? [] : [[field, value!]];
    }),
  );
}
