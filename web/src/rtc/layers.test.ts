import { describe, expect, it } from 'vitest';
import { spatialLayerFor, spatialLayersOf } from './layers';

describe('spatialLayersOf', () => {
  it.each([
    ['L3T3', 3],
    ['L3T3_KEY', 3],
    ['S2T1', 2],
    ['L1T3', 1],
    ['nonsense', 1],
    [undefined, 1],
  ])('%s has %i', (scalabilityMode, count) => {
    const encodings = [scalabilityMode === undefined ? {} : { scalabilityMode }];
    expect(spatialLayersOf({ codecs: [], encodings })).toBe(count);
  });

  it('is one where nothing is said', () => {
    expect(spatialLayersOf({ codecs: [] })).toBe(1);
  });
});

describe('spatialLayerFor', () => {
  it.each([
    [1080, 3, 2],
    [481, 3, 2],
    [480, 3, 1],
    [241, 3, 1],
    [240, 3, 0],
    [0, 3, 0],
    [1080, 2, 1],
    [300, 2, 0],
    [100, 2, 0],
    [1080, 1, 0],
    [100, 1, 0],
  ])('%i pixels of %i layers need layer %i', (height, count, layer) => {
    expect(spatialLayerFor(height, count)).toBe(layer);
  });
});
