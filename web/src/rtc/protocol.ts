import type { types } from 'mediasoup-client';

/** What a track shows; it travels in `appData.type`, where other clients put only `screen`. */
export type MediaSource = 'microphone' | 'camera' | 'screen' | 'screen-audio';

export interface WireParticipant {
  userId: string;
  userName?: string;
  socketId: string;
}

export interface WireProducer {
  producerId: string;
  userId: string;
  kind: types.MediaKind;
  appData?: unknown;
  socketId?: string;
}

interface ProducePayload {
  roomId: string;
  transportId: string;
  kind: types.MediaKind;
  rtpParameters: types.RtpParameters;
  appData: Record<string, unknown>;
}

export interface ConsumeAck {
  id: string;
  producerId: string;
  kind: types.MediaKind;
  rtpParameters: types.RtpParameters;
  producerPaused?: boolean;
}

/** Why the server sends nothing of a producer that is not paused; it goes on by itself. */
export const SUSPEND_REASONS = ['bandwidth', 'notSpeaking', 'overload'] as const;
export type SuspendReason = (typeof SUSPEND_REASONS)[number];

export interface TransportAck {
  id: string;
  iceParameters: types.IceParameters;
  iceCandidates: types.IceCandidate[];
  dtlsParameters: types.DtlsParameters;
  sctpParameters?: types.SctpParameters;
}

/** Events of the room vocabulary that are answered: payload and answer. */
export interface Requests {
  joinRoom: {
    payload: { roomId: string; userId: string; userName: string };
    ack: { participants: WireParticipant[]; activeProducers: WireProducer[] };
  };
  getRouterRtpCapabilities: {
    payload: { roomId: string };
    ack: { rtpCapabilities: types.RtpCapabilities };
  };
  createWebRtcTransport: { payload: { roomId: string; direction: 'send' | 'recv' }; ack: TransportAck };
  connectWebRtcTransport: {
    payload: { roomId: string; transportId: string; dtlsParameters: types.DtlsParameters };
    ack: null;
  };
  produce: { payload: ProducePayload; ack: { id: string } };
  startScreenShare: { payload: ProducePayload; ack: { id: string } };
  consume: {
    payload: { roomId: string; transportId: string; producerId: string; rtpCapabilities: types.RtpCapabilities };
    ack: ConsumeAck;
  };
  resumeConsumer: { payload: { consumerId: string }; ack: null };
}

/** Events that need no answer. */
export interface Notices {
  pauseProducer: { producerId: string; roomId: string; kind: types.MediaKind };
  resumeProducer: { producerId: string; roomId: string; kind: types.MediaKind };
  producerClosed: { producerId: string; roomId: string };
  stopScreenShare: { producerId: string; roomId: string };
  leaveRoom: { roomId: string; userId: string };
  setPreferredLayers: { consumerId: string; spatialLayer: number };
}

/** What the server sends by itself. */
export interface ServerEvents extends Record<string, unknown> {
  userJoined: WireParticipant;
  userLeft: { userId: string; socketId?: string };
  newProducer: WireProducer;
  producerClosed: { producerId: string };
  producerPaused: { producerId: string };
  producerResumed: { producerId: string };
  consumerClosed: { consumerId: string };
  /** Servers that suspend nothing send no reason: the producer was paused. */
  consumerPaused: { consumerId: string; reason?: 'producer' | SuspendReason };
  consumerResumed: { consumerId: string };
  /** Of one of our producers, the layers that anybody uses. */
  producerLayersWanted: { producerId: string; spatialLayers: readonly number[] };
  activeSpeaker: { userId: string; producerId: string };
  /** An administrator has muted one of our producers. */
  producerMuted: { producerId: string };
  /** An administrator has sent us away. */
  removed: { roomId: string };
  /** `closed`: an administrator has ended it for all; `lost`: a mishap, everybody begins afresh. */
  roomClosed: { roomId: string; reason: 'closed' | 'lost' };
  /** The loudest first; empty when it has become silent. */
  audioLevels: readonly { userId: string; producerId: string; volume: number }[];
}

export const SERVER_EVENTS = [
  'userJoined',
  'userLeft',
  'newProducer',
  'producerClosed',
  'producerPaused',
  'producerResumed',
  'consumerClosed',
  'consumerPaused',
  'consumerResumed',
  'producerLayersWanted',
  'activeSpeaker',
  'audioLevels',
  'producerMuted',
  'removed',
  'roomClosed',
] as const satisfies readonly (keyof ServerEvents)[];

/** What a producer shows, as far as its kind and `appData` tell; other clients mark screens only. */
export function sourceOf(producer: Pick<WireProducer, 'kind' | 'appData'>): MediaSource {
  const { appData } = producer;
  const type = typeof appData === 'object' && appData !== null && 'type' in appData ? appData.type : undefined;
  const isScreen = type === 'screen' || type === 'screen-audio';
  if (producer.kind === 'audio') {
    return isScreen ? 'screen-audio' : 'microphone';
  }
  return isScreen ? 'screen' : 'camera';
}
