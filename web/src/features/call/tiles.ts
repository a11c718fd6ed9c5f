import type { MediaSource } from '../../rtc/protocol';
import type { Participant, RemoteMedia } from '../../rtc/room-connection';
import type { LocalMedia } from '../../state/call-store';

export interface TileModel {
  key: string;
  name: string;
  isSelf: boolean;
  video: MediaStreamTrack | null;
  muted: boolean;
  isScreen: boolean;
}

/** What the stage shows: shared screens, and people with oneself last. */
export interface StageModel {
  screens: TileModel[];
  people: TileModel[];
  audio: { key: string; track: MediaStreamTrack }[];
}

export function stageModel(ownName: string, local: LocalMedia, participants: readonly Participant[]): StageModel {
  const self: TileModel = {
    key: 'self',
    name: ownName,
    isSelf: true,
    video: local.camera,
    muted: !local.microphoneOn,
    isScreen: false,
  };
  const ownScreens: TileModel[] = local.screen
    ? [{ key: 'self-screen', name: ownName, isSelf: true, video: local.screen, muted: false, isScreen: true }]
    : [];
  return {
    screens: [...participants.flatMap(screensOf), ...ownScreens],
    people: [...participants.map(personOf), self],
    audio: participants.flatMap(({ media }) =>
      media.flatMap(({ producerId, source, track }) =>
        track && (source === 'microphone' || source === 'screen-audio') ? [{ key: producerId, track }] : [],
      ),
    ),
  };
}

function personOf({ userId, userName, media }: Participant): TileModel {
  const camera = bySource(media, 'camera').find(isShown) ?? null;
  const isHeard = bySource(media, 'microphone').some(({ paused }) => !paused);
  return { key: userId, name: userName, isSelf: false, video: camera?.track ?? null, muted: !isHeard, isScreen: false };
}

function screensOf({ userName, media }: Participant): TileModel[] {
  return bySource(media, 'screen')
    .filter(isShown)
    .map(({ producerId, track }) => ({
      key: producerId,
      name: userName,
      isSelf: false,
      video: track,
      muted: false,
      isScreen: true,
    }));
}

function bySource(media: readonly RemoteMedia[], source: MediaSource): RemoteMedia[] {
  return media.filter((one) => one.source === source);
}

function isShown({ track, paused }: RemoteMedia): boolean {
  return track !== null && !paused;
}
