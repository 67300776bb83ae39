/**
 * Draws ratios to redis-server. Each work has a row with a line for each depth; it goes from the
 * least to the most round, with a dot at the median. The axis is linear from 0: twice as far is
 * twice as fast.
 */

import type { Spread } from "../support/figures.ts";
import { GREY, line, picture, text } from "../support/svg.ts";

export interface Row {
  readonly title: string;
  /** The spreads, one for each depth. */
  readonly spreads: readonly Spread[];
}

export interface Panel {
  readonly title: string;
  readonly rows: readonly Row[];
}

const WIDTH = 860;
const PLOT = { left: 250, right: 840, top: 40 };
const LINE_HEIGHT = 9;
const ROW_GAP = 8;
const PANEL_HEAD = 44;
const AXIS_HEIGHT = 30;
const DOT_RADIUS = 3.5;
const colours = ["#2a82da", "#d55e00", "#1a9850", "#8e5bc0"];

export function drawPicture(title: string, depths: readonly number[], panels: Panel[]): string {
  const spreads = panels.flatMap(({ rows }) => rows.flatMap((row) => row.spreads));
  const most = Math.max(1, ...spreads.map((spread) => spread.most));
  const step = most > 4 ? 1 : 0.5;
  const end = Math.ceil(most / step) * step;
  const x = (ratio: number) => PLOT.left + (ratio / end) * (PLOT.right - PLOT.left);
  const elements = drawLegend(depths);
  let top = PLOT.top;
  for (const panel of panels) {
    elements.push(...drawPanel(panel, depths.length, top, x, step, end));
    top += heightOf(panel, depths.length);
  }
  return picture(WIDTH, top, title, elements);
}

function heightOf({ rows }: Panel, depths: number): number {
  return PANEL_HEAD + rows.length * (depths * LINE_HEIGHT + ROW_GAP) + AXIS_HEIGHT;
}

function drawLegend(depths: readonly number[]): string[] {
  return depths.flatMap((depth, index) => {
    const at = PLOT.left + index * 100;
    return [dot(at, 20, colours[index]!), text(at + 10, 24, `${depth} deep`, "start")];
  });
}

function drawPanel(
  { title, rows }: Panel,
  depths: number,
  top: number,
  x: (ratio: number) => number,
  step: number,
  end: number,
): string[] {
  const first = top + PANEL_HEAD;
  const bottom = first + rows.length * (depths * LINE_HEIGHT + ROW_GAP);
  const elements = [text(10, top + 24, title, "start")];
  for (let ratio = 0; ratio <= end; ratio += step) {
    elements.push(line(x(ratio), first - 8, x(ratio), bottom));
    elements.push(text(x(ratio), bottom + 16, ratio.toFixed(1), "middle"));
  }
  elements.push(stroke(x(1), first - 8, x(1), bottom, GREY, 1.5));
  for (const [index, row] of rows.entries()) {
    const at = first + index * (depths * LINE_HEIGHT + ROW_GAP);
    const middle = at + ((depths - 1) * LINE_HEIGHT) / 2;
    elements.push(text(PLOT.left - 12, middle + 4, row.title, "end"));
    for (const [depth, { least, middle, most }] of row.spreads.entries()) {
      const y = at + depth * LINE_HEIGHT;
      elements.push(stroke(x(least), y, x(most), y, colours[depth]!, 2));
      elements.push(dot(x(middle), y, colours[depth]!));
    }
  }
  return elements;
}

function dot(x: number, y: number, colour: string): string {
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${DOT_RADIUS}" fill="${colour}"/>`;
}

function stroke(x1: number, y1: number, x2: number, y2: number, colour: string, width: number) {
  const ends = `x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"`;
  return `<line ${ends} stroke="${colour}" stroke-width="${width}"/>`;
}
