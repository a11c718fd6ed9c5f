import { describe, expect, it } from 'vitest';
import { fakeTrack } from '../../rtc/fakes';
import type { RemoteMedia } from '../../rtc/room-connection';
import type { LocalMedia } from '../../state/call-store';
import { stageModel } from './tiles';

const LOCAL: LocalMedia = {
  microphone: null,
  microphoneOn: false,
  camera: null,
  screen: null,
  screenAudio: null,
  opening: { microphone: false, camera: false, screen: false },
};

function bobWith(...media: RemoteMedia[]) {
  return [{ userId: 'bob', userName: 'Bob', media }];
}

describe('stageModel', () => {
  it('puts oneself last', () => {
    expect(stageModel('Ann', LOCAL, bobWith()).people.map(({ name }) => name)).toEqual(['Bob', 'Ann']);
  });

  it('shows initials for a paused camera, and a mute mark for a paused microphone', () => {
    const media: RemoteMedia[] = [
      { producerId: 'a', source: 'microphone', paused: true, track: fakeTrack('audio') },
      { producerId: 'v', source: 'camera', paused: true, track: fakeTrack('video') },
    ];
    expect(stageModel('Ann', LOCAL, bobWith(...media)).people[0]).toMatchObject({ video: null, muted: true });
    const open = media.map((one) => ({ ...one, paused: false }));
    expect(stageModel('Ann', LOCAL, bobWith(...open)).people[0]).toMatchObject({ video: open[1]?.track, muted: false });
  });

  it('gives screens tiles of their own, one’s own too', () => {
    const screen: RemoteMedia = { producerId: 's', source: 'screen', paused: false, track: fakeTrack('video') };
    const model = stageModel('Ann', { ...LOCAL, screen: fakeTrack('video') }, bobWith(screen));
    expect(model.screens.map(({ name, isScreen }) => [name, isScreen])).toEqual([
      ['Bob', true],
      ['Ann', true],
    ]);
  });

  it('plays microphones and the sound of screens', () => {
    const media = (['microphone', 'screen-audio'] as const).map((source) => ({
      producerId: source,
      source,
      paused: false,
      track: fakeTrack('audio'),
    }));
    expect(stageModel('Ann', LOCAL, bobWith(...media)).audio.map(({ key }) => key)).toEqual(['microphone', 'screen-audio']);
  });
});
