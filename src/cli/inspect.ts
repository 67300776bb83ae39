/**
 * `number-dispenser health` and `number-dispenser info [name]`: show what the server on this
 * machine reports.
 */

import { CannotStart } from "../base/errors.ts";
import { type Addresses, ask, type Environment, withServer } from "./connection.ts";

/** The result of `health`. */
export interface Health {
  readonly isWell: boolean;
  /** One line, or JSON. */
  readonly text: string;
}

/** Whether the server answers and can write. Throws CannotStart if the server cannot be asked. */
export async function health(
  addresses: Addresses,
  environment: Environment,
  isJson: boolean,
): Promise<Health> {
  const show = (isWell: boolean, words: string, state: object): Health => ({
    isWell,
    text: isJson ? JSON.stringify({ status: isWell ? "ok" : "unwell", ...state }) : words,
  });
  try {
    return await withServer(addresses, environment, async (client) => {
      const began = performance.now();
      await ask(client, "PING");
      const answeredMs = Math.round((performance.now() - began) * 100) / 100;
      const fields = infoFields(await ask(client, "INFO", "persistence", "cluster"));
      const { storage_status: storage = "?", storage_error, cluster_store_status: store } = fields;
      const state = { answered_ms: answeredMs, storage, ...(store && { store }) };
      if (storage !== "ok") {
        const words = `the server answers, but its storage is ${storage}: ${storage_error}`;
        return show(false, words, { ...state, reason: storage_error });
      }
      const shared = store === undefined ? "" : `, store ${store}`;
      return show(true, `ok: answered in ${answeredMs} ms, storage ${storage}${shared}`, state);
    });
  } catch (error) {
    if (!(error instanceof CannotStart) || !isJson) throw error;
    return show(false, "", { reason: error.message });
  }
}

/** The reply of INFO, for the server or for one dispenser, as text or as JSON. */
export function info(
  name: string | undefined,
  addresses: Addresses,
  environment: Environment,
  isJson: boolean,
): Promise<string> {
  return withServer(addresses, environment, async (client) => {
    const words: [string, ...string[]] = name === undefined ? ["INFO"] : ["INFO", name];
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
