import type { CallSnapshot } from '../../rtc/call-session';
import type { HeldBack } from '../../components/Tile';
import type { MediaSource } from '../../rtc/protocol';
import type { Participant, RemoteMedia } from '../../rtc/room-connection';
import type { LocalMedia } from '../../state/call-store';

export interface TileModel {
  key: string;
  name: string;
  isSelf: boolean;
  /** Whose picture `video` is, if it comes from the server. */
  producerId: string | null;
  video: MediaStreamTrack | null;
  /** There is a picture, but for the moment it does not come, and this is why. */
  heldBack: HeldBack | null;
  muted: boolean;
  speaking: boolean;
  isScreen: boolean;
}

/** What the stage shows: shared screens, and people with oneself last. */
export interface StageModel {
  screens: TileModel[];
  people: TileModel[];
  audio: { key: string; track: MediaStreamTrack }[];
}

export function stageModel(
  ownName: string,
  local: LocalMedia,
  { participants, activeSpeaker }: Pick<CallSnapshot, 'participants' | 'activeSpeaker'>,
): StageModel {
  const self: TileModel = {
    key: 'self',
    name: ownName,
    isSelf: true,
    producerId: null,
    video: local.camera,
    heldBack: null,
    muted: !local.microphoneOn,
    speaking: activeSpeaker?.isSelf === true && local.microphoneOn,
    isScreen: false,
  };
  const ownScreens: TileModel[] = local.screen
    ? [{ ...self, key: 'self-screen', video: local.screen, muted: false, speaking: false, isScreen: true }]
    : [];
  return {
    screens: [...participants.flatMap(screensOf), ...ownScreens],
    people: [...participants.map((participant) => personOf(participant, activeSpeaker?.userId)), self],
    audio: participants.flatMap(({ media }) =>
      media.flatMap(({ producerId, source, track }) =>
        track && (source === 'microphone' || source === 'screen-audio') ? [{ key: producerId, track }] : [],
      ),
    ),
  };
}

function personOf({ userId, userName, media }: Participant, speaker: string | undefined): TileModel {
  const isMuted = bySource(media, 'microphone').every(({ paused }) => paused);
  return {
    key: userId,
    name: userName,
    isSelf: false,
    ...pictureOf(bySource(media, 'camera').find(isSent)),
    muted: isMuted,
    speaking: userId === speaker && !isMuted,
    isScreen: false,
  };
}

function screensOf({ userName, media }: Participant): TileModel[] {
  return bySource(media, 'screen')
    .filter(isSent)
    .map((screen) => ({
      key: screen.producerId,
      name: userName,
      isSelf: false,
      ...pictureOf(screen),
      muted: false,
      speaking: false,
      isScreen: true,
    }));
}

/** A picture that does not arrive is not shown: it would stand still. */
function pictureOf(media: RemoteMedia | undefined): Pick<TileModel, 'producerId' | 'video' | 'heldBack'> {
  return {
    producerId: media?.producerId ?? null,
    video: media?.suspended === null ? media.track : null,
    // Who does not speak is not missed in a room that shows its speakers.
    heldBack: media && media.suspended !== 'notSpeaking' ? media.suspended : null,
  };
}

function bySource(media: readonly RemoteMedia[], source: MediaSource): RemoteMedia[] {
  return media.filter((one) => one.source === source);
}

function isSent({ track, paused }: RemoteMedia): boolean {
  return track !== null && !paused;
}
