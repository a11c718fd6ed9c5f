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

function bobWith(...media: (Omit<RemoteMedia, 'suspended'> & Partial<RemoteMedia>)[]) {
  const bob = { userId: 'bob', userName: 'Bob', media: media.map((one) => ({ suspended: null, ...one })) };
  return { participants: [bob], activeSpeaker: null };
}

describe('stageModel', () => {
  it('puts oneself last', () => {
    expect(stageModel('Ann', LOCAL, bobWith()).people.map(({ name }) => name)).toEqual(['Bob', 'Ann']);
  });

  it('shows initials for a paused camera, and a mute mark for a paused microphone', () => {
    const media: RemoteMedia[] = [
      { producerId: 'a', source: 'microphone', paused: true, suspended: null, track: fakeTrack('audio') },
      { producerId: 'v', source: 'camera', paused: true, suspended: null, track: fakeTrack('video') },
    ];
    expect(stageModel('Ann', LOCAL, bobWith(...media)).people[0]).toMatchObject({ video: null, muted: true });
    const open = media.map((one) => ({ ...one, paused: false }));
    expect(stageModel('Ann', LOCAL, bobWith(...open)).people[0]).toMatchObject({ video: open[1]?.track, muted: false });
  });

  it('gives screens tiles of their own, one’s own too', () => {
    const screen = { producerId: 's', source: 'screen', paused: false, track: fakeTrack('video') } as const;
    const model = stageModel('Ann', { ...LOCAL, screen: fakeTrack('video') }, bobWith(screen));
    expect(model.screens.map(({ name, isScreen }) => [name, isScreen])).toEqual([
      ['Bob', true],
      ['Ann', true],
    ]);
  });

  it('tells a picture that the connection does not carry from a camera that is off', () => {
    const camera = { producerId: 'v', source: 'camera', paused: false, track: fakeTrack('video') } as const;
    const tileOf = (change: Partial<RemoteMedia>) =>
      stageModel('Ann', LOCAL, bobWith({ ...camera, ...change })).people[0];
    expect(tileOf({})).toMatchObject({ producerId: 'v', video: camera.track, heldBack: null });
    expect(tileOf({ suspended: 'bandwidth' })).toMatchObject({ video: null, heldBack: 'bandwidth' });
    expect(tileOf({ suspended: 'overload' })).toMatchObject({ video: null, heldBack: 'overload' });
    expect(tileOf({ suspended: 'notSpeaking' })).toMatchObject({ video: null, heldBack: null });
    expect(tileOf({ suspended: 'bandwidth', paused: true })).toMatchObject({ video: null, heldBack: null });
    expect(tileOf({ track: null })).toMatchObject({ producerId: null, video: null, heldBack: null });
  });

  it('keeps the place of a screen that the connection does not carry', () => {
    const screen = { producerId: 's', source: 'screen', paused: false, track: fakeTrack('video') } as const;
    const model = stageModel('Ann', LOCAL, bobWith({ ...screen, suspended: 'bandwidth' }));
    expect(model.screens).toMatchObject([{ name: 'Bob', video: null, heldBack: 'bandwidth' }]);
  });

  it('marks who speaks, oneself too, and nobody who is muted', () => {
    const microphone = { producerId: 'a', source: 'microphone', track: fakeTrack('audio') } as const;
    const speaking = (userId: string, paused = false, microphoneOn = true) => {
      const call = { ...bobWith({ ...microphone, paused }), activeSpeaker: { userId, isSelf: userId === 'ann' } };
      return stageModel('Ann', { ...LOCAL, microphoneOn }, call)
        .people.filter((tile) => tile.speaking)
        .map(({ name }) => name);
    };
    expect(speaking('bob')).toEqual(['Bob']);
    expect(speaking('bob', true)).toEqual([]);
    expect(speaking('ann')).toEqual(['Ann']);
    expect(speaking('ann', false, false)).toEqual([]);
    expect(speaking('cleo')).toEqual([]);
  });

  it('plays microphones and the sound of screens', () => {
    const media = (['microphone', 'screen-audio'] as const).map((source) => ({
      producerId: source,
      source,
      paused: false,
      track: fakeTrack('audio'),
    }));
    expect(stageModel('Ann', LOCAL, bobWith(...media)).audio.map(({ key }) => key)).toEqual([
      'microphone',
      'screen-audio',
    ]);
  });
});
