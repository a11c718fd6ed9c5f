import { describe, expect, it } from 'vitest';
import { sourceOf } from './protocol';
import { Roster } from './roster';

const BOB = { userId: 'bob', userName: 'Bob', socketId: 's1' };
const CAMERA = { producerId: 'p1', userId: 'bob', kind: 'video', appData: {} } as const;

describe('Roster', () => {
  it('keeps somebody who came back before the old connection was noticed to be dead', () => {
    const roster = new Roster('me');
    roster.seed([BOB], []);
    roster.userJoined({ ...BOB, socketId: 's2' });
    roster.userLeft({ userId: 'bob', socketId: 's1' });
    expect(roster.entries).toHaveLength(1);
    roster.userLeft({ userId: 'bob', socketId: 's2' });
    expect(roster.entries).toHaveLength(0);
  });

  it('never lists one’s own lingering connection: nobody wants to hear themselves', () => {
    const roster = new Roster('me');
    roster.seed([{ userId: 'me', userName: 'Me', socketId: 's0' }], [{ ...CAMERA, userId: 'me' }]);
    expect(roster.entries).toEqual([]);
    expect(roster.producerIds).toEqual([]);
  });

  it('shows somebody who publishes without having joined, as long as they publish', () => {
    const roster = new Roster('me');
    roster.seed([], []);
    roster.producerAdded(CAMERA);
    expect(roster.entries).toMatchObject([{ userId: 'bob', userName: 'bob', producers: [{ source: 'camera' }] }]);
    roster.producerClosed('p1');
    expect(roster.entries).toEqual([]);
  });

  it('takes a person’s producers away with the person', () => {
    const roster = new Roster('me');
    roster.seed([BOB], [CAMERA]);
    roster.userLeft({ userId: 'bob', socketId: 's1' });
    expect(roster.producerIds).toEqual([]);
  });

  it('ignores pauses of what it does not know', () => {
    const roster = new Roster('me');
    roster.seed([BOB], [CAMERA]);
    roster.producerPaused('p9', true);
    roster.producerPaused('p1', true);
    expect(roster.entries[0]?.producers).toMatchObject([{ producerId: 'p1', paused: true }]);
  });
});

describe('sourceOf', () => {
  it.each([
    ['video', { type: 'screen' }, 'screen'],
    ['video', { type: 'camera' }, 'camera'],
    ['video', undefined, 'camera'],
    ['video', null, 'camera'],
    ['video', 'screen', 'camera'],
    ['audio', { type: 'screen' }, 'screen-audio'],
    ['audio', {}, 'microphone'],
  ] as const)('%s with %j is %s', (kind, appData, source) => {
    expect(sourceOf({ kind, appData })).toBe(source);
  });
});
