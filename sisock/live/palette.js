/**
 * How 32 curves are told apart: eight colours for all kinds of colour vision (after Okabe and
 * Ito, darkened or lightened for the background), times four dash patterns.
 */
const COLOURS = {
  light: ["#0072b2", "#d55e00", "#00805c", "#b5498a", "#3f9bd8", "#b77900", "#3c3c3c", "#7a5bd0"],
  dark: ["#56b4e9", "#ff8a3d", "#2ccb9a", "#f09bcb", "#f0e442", "#e69f00", "#f2f2f2", "#a99bff"],
};

/** On and off lengths in CSS pixels. @type {number[][]} */
const DASHES = [[], [10, 4], [2, 4], [10, 4, 2, 4]];

/**
 * @param {number} index position of the field among its like
 * @param {"light" | "dark"} theme
 * @returns {{colour: string, dash: number[]}}
 */
export function lineStyle(index, theme) {
  const colours = COLOURS[theme];
  return {
    colour: colours[index % colours.length],
    dash: DASHES[Math.floor(index / colours.length) % DASHES.length],
  };
}
