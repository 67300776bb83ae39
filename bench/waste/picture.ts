/**
 * Draws shares over lives of growing length as an SVG. Both axes are logarithmic; a share of 0 has
 * a row of its own. All colours are readable on white and on black.
 */

import { line, picture, text } from "../support/svg.ts";

export interface Curve {
  readonly title: string;
  readonly colour: string;
  /** Whether it is drawn dashed, as bounds and computed figures are. */
  readonly isDashed: boolean;
  /** The shares, 0 to 1, one for each life. */
  readonly shares: readonly number[];
}

const WIDTH = 860;
const HEIGHT = 460;
const PLOT = { left: 70, right: 600, top: 30, bottom: 370 };
const ZERO_Y = 400;
const SHARE_MOST = 1;
const SHARE_LEAST = 1e-5;
const LABEL_GAP = 17;

const percents = [1, 0.1, 0.01, 0.001, 0.0001, 0.00001];

export function drawPicture(lives: readonly number[], curves: readonly Curve[]): string {
  const longest = Math.log10(lives.at(-1)!);
  const x = (numbers: number) =>
    PLOT.left + (Math.log10(numbers) / longest) * (PLOT.right - PLOT.left);
  const elements = [
    ...drawAxes(lives, x),
    ...curves.map((curve) => drawCurve(curve, lives, x)),
    ...drawLabels(curves),
  ];
  const title = "Share of numbers wasted by a crash, by the length of the server's life";
  return picture(WIDTH, HEIGHT, title, elements);
}

function heightOf(share: number): number {
  if (share < SHARE_LEAST) return ZERO_Y;
  const decades = Math.log10(SHARE_MOST / SHARE_LEAST);
  return PLOT.top + (Math.log10(SHARE_MOST / share) / decades) * (PLOT.bottom - PLOT.top);
}

function drawAxes(lives: readonly number[], x: (numbers: number) => number): string[] {
  const rows = percents.map((share) => {
    const y = heightOf(share);
    return `${line(PLOT.left, y, PLOT.right, y)}${text(PLOT.left - 8, y + 4, `${Number((share * 100).toPrecision(2))} %`, "end")}`;
  });
  const columns = lives
    .filter((numbers) => Number.isInteger(Math.log10(numbers)))
    .map((numbers) => {
      const at = x(numbers);
      const title = numbers.toLocaleString("en");
      return `${line(at, PLOT.top, at, ZERO_Y)}${text(at, ZERO_Y + 20, title, "middle")}`;
    });
  const middle = (PLOT.left + PLOT.right) / 2;
  return [
    ...rows,
    ...columns,
    `${line(PLOT.left, ZERO_Y, PLOT.right, ZERO_Y)}${text(PLOT.left - 8, ZERO_Y + 4, "0", "end")}`,
    text(middle, ZERO_Y + 45, "numbers handed out in one life of the server", "middle"),
    text(PLOT.left - 60, PLOT.top - 12, "wasted by a crash, at worst", "start"),
  ];
}

function drawCurve(curve: Curve, lives: readonly number[], x: (numbers: number) => number): string {
  const points = curve.shares.map((share, index) => {
    return `${x(lives[index]!).toFixed(1)},${heightOf(share).toFixed(1)}`;
  });
  const look = curve.isDashed ? 'stroke-width="1.5" stroke-dasharray="5 4"' : 'stroke-width="2.5"';
  return `<polyline points="${points.join(" ")}" fill="none" stroke="${curve.colour}" ${look}/>`;
}

/** Draws the titles to the right of the curves' ends, moved apart if they would overlap. */
function drawLabels(curves: readonly Curve[]): string[] {
  const ends = curves
    .map(({ title, colour, shares }) => ({ title, colour, y: heightOf(shares.at(-1)!) }))
    .sort((a, b) => a.y - b.y);
  let free = PLOT.top;
  return ends.map(({ title, colour, y }) => {
    const at = Math.max(y, free);
    free = at + LABEL_GAP;
    return text(PLOT.right + 10, at + 4, title, "start", colour);
  });
}
