/** Reads the YAML file of settings into texts with their lines. load.ts reads the values. */

import { readFileSync } from "node:fs";
import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from "yaml";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { shownText } from "../base/secrets.ts";

/** A value, flag or file content that the user has to correct. The message is one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A setting in the file. */
export interface FileSetting {
  /** The path of the setting, with a star for any key. */
  readonly path: string;
  /** The key in the place of the star; undefined if the path has none. */
  readonly key: string | undefined;
  /** The value; for a list all values, with spaces between them. */
  readonly text: string;
  /** The place in the file, as file:line. */
  readonly where: string;
}

const SEPARATOR = ".";
/** The part of a path that stands for any key. */
const ANY = "*";

/**
 * Reads the settings of a file, each of which must be one of `paths` ("server.addr",
 * "users.*.names"). Throws CannotStart, or UsageError with file:line.
 */
export function readConfigFile(file: string, paths: readonly string[]): FileSetting[] {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`;
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) {
    throw new UsageError(`${at(problem.pos[0])}: ${messageOf(problem)}`);
  }

  const found: FileSetting[] = [];
  const known = paths.map((path) => path.split(SEPARATOR));
  const visit = (node: Node | null, keys: readonly string[], offset: number): void => {
    const where = at(offset);
    const shown = keys.map(shownText).join(SEPARATOR);
    const under = known.filter((path) =>
      keys.every((key, depth) => path[depth] === key || path[depth] === ANY),
    );
    if (under.length === 0) throw new UsageError(`${where}: unknown setting '${shown}'`);
    const setting = under.find((path) => path.length === keys.length);
    if (setting !== undefined) {
      const text = textOf(node);
      if (text === undefined) throw new UsageError(`${where}: ${shown} needs one value`);
      const star = setting.indexOf(ANY);
      found.push({ path: setting.join(SEPARATOR), key: keys[star], text, where });
      return;
    }
    if (node === null || (isScalar(node) && node.value === null)) return;
    if (!isMap(node)) throw new UsageError(`${where}: ${shown || "the file"} must hold settings`);
    for (const { key, value } of node.items) {
      const start = (key as Node).range?.[0] ?? offset;
      visit(value as Node | null, [...keys, String(key)], start);
    }
  };
  visit(document.contents, [], 0);
  return found;
}

/** What is wrong in the file, without its text: that may be a password that begins with ! or |. */
function messageOf({ code, message }: YAMLError): string {
  if (code === "MULTIPLE_DOCS") return "the file must hold one YAML document";
  const quoted = /^(Unresolved tag|Could not resolve tag|Unknown directive|[^:]*characters:)/;
  if (!quoted.test(message)) return message;
  return "a value that begins with one of ! % & * > | has to stand in quotes";
}

/** The text of a value, or of a list of values; undefined for anything else. */
function textOf(node: unknown): string | undefined {
  if (isSeq(node)) {
    const texts = node.items.map(textOf);
    return texts.includes(undefined) ? undefined : texts.join(" ");
  }
  if (!isScalar(node) || node.value === null) return undefined;
  return node.source ?? String(node.value);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CannotStart(`cannot read the config file ${shownText(file)}: ${reasonOf(error)}`);
  }
}
