import { describe, expect, it } from 'vitest';
import { explain } from './explain';

describe('explain', () => {
  it('says once what is wrong with both devices', () => {
    const [only, ...others] = explain([
      { device: 'microphone', cause: 'denied' },
      { device: 'camera', cause: 'denied' },
    ]);
    expect(only?.title).toBe('Access to your microphone and camera is blocked');
    expect(others).toEqual([]);
  });

  it('tells different causes apart', () => {
    const titles = explain([
      { device: 'microphone', cause: 'in-use' },
      { device: 'camera', cause: 'not-found' },
    ]).map(({ title }) => title);
    expect(titles).toEqual(['Your microphone cannot be opened', 'No camera was found']);
  });

  it.each(['denied', 'not-found', 'in-use', 'insecure', 'unknown'] as const)('has advice for %s', (cause) => {
    expect(explain([{ device: 'camera', cause }])[0]?.advice).toMatch(/\w+/);
  });
});
