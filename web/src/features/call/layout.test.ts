import { describe, expect, it } from 'vitest';
import { gridLayout, spotlightLayout } from './layout';

const GAP = 10;
const AREAS = {
  laptop: { width: 1256, height: 640 },
  phone: { width: 370, height: 620 },
  square: { width: 600, height: 600 },
  strip: { width: 1600, height: 160 },
};

describe('gridLayout', () => {
  it.each([
    ['laptop', 1, 1, 1],
    ['laptop', 2, 2, 1],
    ['laptop', 3, 2, 2],
    ['laptop', 4, 2, 2],
    ['laptop', 5, 3, 2],
    ['laptop', 9, 3, 3],
    ['phone', 1, 1, 1],
    ['phone', 2, 1, 2],
    ['phone', 3, 1, 3],
    ['phone', 6, 2, 3],
    ['square', 2, 1, 2],
    ['square', 4, 2, 2],
    ['strip', 5, 5, 1],
  ] as const)('on a %s, %i tiles make %i × %i', (area, count, columns, rows) => {
    expect(gridLayout(count, AREAS[area], GAP)).toMatchObject({ columns, rows });
  });

  it('keeps every tile inside the area, and every aspect between 3:2 and 16:9', () => {
    for (const area of Object.values(AREAS)) {
      for (let count = 1; count <= 50; count += 1) {
        const { columns, rows, tile } = gridLayout(count, area, GAP);
        expect(columns * rows).toBeGreaterThanOrEqual(count);
        expect(columns * tile.width + (columns - 1) * GAP).toBeLessThanOrEqual(area.width);
        expect(rows * tile.height + (rows - 1) * GAP).toBeLessThanOrEqual(area.height);
        // Whole pixels round the ratio a little.
        expect((tile.width + 1) / tile.height).toBeGreaterThanOrEqual(3 / 2);
        expect(tile.width / (tile.height + 1)).toBeLessThanOrEqual(16 / 9);
      }
    }
  });

  it('is harmless without room or tiles', () => {
    expect(gridLayout(3, { width: 0, height: 0 }, GAP).tile).toEqual({ width: 0, height: 0 });
    expect(gridLayout(3, { width: 5, height: 5 }, GAP).tile).toEqual({ width: 0, height: 0 });
    expect(gridLayout(0, AREAS.laptop, GAP)).toMatchObject({ columns: 1, rows: 1 });
  });
});

describe('spotlightLayout', () => {
  it('puts people beside the screen on wide areas and below it on tall ones', () => {
    expect(spotlightLayout(AREAS.laptop, GAP).strip).toBe('side');
    expect(spotlightLayout(AREAS.phone, GAP).strip).toBe('below');
  });

  it('fills the area', () => {
    for (const area of Object.values(AREAS)) {
      const { strip, main, tile } = spotlightLayout(area, GAP);
      if (strip === 'side') {
        expect(main.width + GAP + tile.width).toBe(area.width);
      } else {
        expect(main.height + GAP + tile.height).toBe(area.height);
      }
    }
  });
});
