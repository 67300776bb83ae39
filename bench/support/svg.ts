/** The elements of the pictures. Colours have to be readable on white and on black. */

export const GREY = "#808080";
const FONT = 'font-family="system-ui, sans-serif" font-size="13"';

export function picture(
  width: number,
  height: number,
  title: string,
  elements: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" ${FONT}>`,
    `<title>${title}</title>`,
    ...elements,
    "</svg>",
    "",
  ].join("\n");
}

export function line(x1: number, y1: number, x2: number, y2: number): string {
  const ends = `x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"`;
  return `<line ${ends} stroke="${GREY}" stroke-opacity="0.35"/>`;
}

export function text(x: number, y: number, words: string, anchor: string, colour = GREY): string {
  const at = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"`;
  return `<text ${at} fill="${colour}">${words}</text>`;
}
