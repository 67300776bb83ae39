import { expect, test } from "bun:test";
import { splitLine } from "../../../src/resp/inline.ts";

const cases: [string, string[] | undefined][] = [
  ["", []],
  ["  \t ", []],
  ["GET a", ["GET", "a"]],
  ["  GET   a  \r", ["GET", "a"]],
  ['"GET" "a b"', ["GET", "a b"]],
  ['""', [""]],
  ['"\\x41\\x0g\\n\\t\\\\\\""', ['Ax0g\n\t\\"']],
  ["'it\\'s \\n'", ["it's \\n"]],
  ['a"b c"', ["ab c"]],
  ['"a"\vb', ["a", "b"]],
  ["a\vb", ["a\vb"]],
  ['"a"b', undefined],
  ['"a', undefined],
  ["'a", undefined],
  ['"a\\', undefined],
];

test.each(cases)("%p", (line, wanted) => {
  expect(splitLine(line)).toEqual(wanted);
});
