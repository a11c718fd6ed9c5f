export interface Size {
  width: number;
  height: number;
}

export interface GridLayout {
  columns: number;
  rows: number;
  tile: Size;
}

/** Tiles may be as wide as a camera's picture, and narrower by a sixth: beyond that people beside the middle are cut off. */
const TILE_ASPECT_MAX = 16 / 9;
const TILE_ASPECT_MIN = 3 / 2;

/** The grid that shows `count` tiles largest in the given area. Sizes are whole pixels, never negative. */
export function gridLayout(count: number, area: Size, gap: number): GridLayout {
  let best: GridLayout = { columns: 1, rows: Math.max(count, 1), tile: { width: 0, height: 0 } };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const tile = fitTile(
      { width: (area.width - gap * (columns - 1)) / columns, height: (area.height - gap * (rows - 1)) / rows },
      TILE_ASPECT_MIN,
      TILE_ASPECT_MAX,
    );
    if (tile.width * tile.height > best.tile.width * best.tile.height) {
      best = { columns, rows, tile };
    }
  }
  return best;
}

export interface SpotlightLayout {
  /** Where the strip of people runs: beside the shared screens on wide areas, below them on tall ones. */
  strip: 'side' | 'below';
  main: Size;
  tile: Size;
}

/** A person in the strip beside a shared screen takes this part of the area's longer side, within limits in pixels. */
const STRIP_PART = 0.2;
const STRIP_WIDTH_MAX = 240;
const STRIP_WIDTH_MIN = 112;

/** One large main area and a strip of small tiles, which scrolls when there are many. */
export function spotlightLayout(area: Size, gap: number): SpotlightLayout {
  const isWide = area.width >= area.height;
  const tileWidth = Math.round(clamp(Math.max(area.width, area.height) * STRIP_PART, STRIP_WIDTH_MIN, STRIP_WIDTH_MAX));
  const tile = { width: tileWidth, height: Math.round(tileWidth / TILE_ASPECT_MAX) };
  return {
    strip: isWide ? 'side' : 'below',
    main: isWide
      ? { width: Math.max(0, area.width - tile.width - gap), height: area.height }
      : { width: area.width, height: Math.max(0, area.height - tile.height - gap) },
    tile,
  };
}

/** The largest tile in a cell whose width is between `min` and `max` times its height. */
function fitTile(cell: Size, min: number, max: number): Size {
  if (cell.width <= 0 || cell.height <= 0) {
    return { width: 0, height: 0 };
  }
  const width = Math.min(cell.width, cell.height * max);
  return { width: Math.floor(width), height: Math.floor(Math.min(cell.height, width / min)) };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
