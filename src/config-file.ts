/**
 * The YAML file of settings, as text by text with the line each stands on. What the texts mean is
 * config.ts's matter.
 */

import { readFileSync } from "node:fs";
import { isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { CannotStart, reasonOf } from "./refusal.ts";

/** A value, flag or file content that the user has to correct. The message is one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A setting as the file has it. */
export interface FileSetting {
  readonly path: string;
  readonly text: string;
  /** file:line */
  readonly where: string;
}

/**
 * The settings a file gives, each of which must be one of `paths` ("server.addr"). Throws
 * CannotStart, or UsageError with file:line.
 */
export function readConfigFile(file: string, paths: readonly string[]): FileSetting[] {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`;
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) {
    const isSeveral = problem.code === "MULTIPLE_DOCS";
    const message = isSeveral ? "the file must hold one YAML document" : problem.message;
    throw new UsageError(`${at(problem.pos[0])}: ${message}`);
  }

  const found: FileSetting[] = [];
  const visit = (node: Node | null, path: string, offset: number): void => {
    const where = at(offset);
    const isNothing = node === null || (isScalar(node) && node.value === null);
    if (paths.includes(path)) {
      if (isNothing || !isScalar(node)) throw new UsageError(`${where}: ${path} needs one value`);
      found.push({ path, text: node.source ?? String(node.value), where });
      return;
    }
    const isGroup = path === "" || paths.some((other) => other.startsWith(`${path}.`));
    if (!isGroup) throw new UsageError(`${where}: unknown setting '${path}'`);
    if (isNothing) return;
    if (!isMap(node)) throw new UsageError(`${where}: ${path || "the file"} must hold settings`);
    for (const { key, value } of node.items) {
      const start = (key as Node).range?.[0] ?? offset;
      visit(value as Node | null, path === "" ? String(key) : `${path}.${key}`, start);
    }
  };
  visit(document.contents, "", 0);
  return found;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CannotStart(`cannot read the config file ${file}: ${reasonOf(error)}`);
  }
}
