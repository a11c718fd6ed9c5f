#!/usr/bin/env node
// A small call server over mediasoup, so that `sluice-bench` can measure both servers in one run: the call vocabulary, as far as the
// load generator uses it, with mediasoup's own defaults. Configured by the variables that Sluice takes as well: PORT, LISTEN_IP,
// RTC_MIN_PORT, RTC_MAX_PORT, WORKERS.
import { createServer } from 'node:http';
import mediasoup from 'mediasoup';
import { Server } from 'socket.io';

const { env } = process;
const ip = env.LISTEN_IP ?? '127.0.0.1';
const port = Number(env.PORT ?? 4000);
const firstMediaPort = Number(env.RTC_MIN_PORT ?? 40000);
const workerCount = Number(env.WORKERS ?? 1);
/** Enough for what a subscriber of the benchmarks gets: the estimate need not grow first. */
const INITIAL_BPS = 1_000_000;

const MEDIA_CODECS = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 },
];

/** One UDP port for each worker, as Sluice has. */
async function startWorker(number) {
  const worker = await mediasoup.createWorker({ logLevel: 'error' });
  worker.on('died', () => process.exit(1));
  const listenInfos = [{ protocol: 'udp', ip, port: firstMediaPort + number }];
  return { worker, webRtcServer: await worker.createWebRtcServer({ listenInfos }) };
}

const workers = await Promise.all(Array.from({ length: workerCount }, (_, number) => startWorker(number)));
/** Of each `callId`, the promise of its room: `{ id, router, webRtcServer, peers }`. */
const rooms = new Map();
let roomCount = 0;

function roomOf(callId) {
  if (typeof callId !== 'string' || callId === '') throw new Error('callId is missing');
  if (!rooms.has(callId)) {
    const { worker, webRtcServer } = workers[roomCount++ % workers.length];
    const created = worker.createRouter({ mediaCodecs: MEDIA_CODECS });
    rooms.set(callId, created.then((router) => ({ id: callId, router, webRtcServer, peers: new Map() })));
  }
  return rooms.get(callId);
}

function joined(peer) {
  if (peer.room === undefined) throw new Error('join a room first');
  return peer.room;
}

function known(map, id, what) {
  const found = map.get(id);
  if (found === undefined) throw new Error(`no such ${what}`);
  return found;
}

function tellOthers(peer, event, news) {
  for (const other of peer.room.peers.values()) if (other !== peer) other.socket.emit(event, news);
}

function leave(peer) {
  const { room } = peer;
  if (room === undefined) return;
  tellOthers(peer, 'peerLeft', { peerId: peer.id, userId: peer.userId });
  peer.room = undefined;
  for (const transport of peer.transports.values()) transport.close();
  for (const map of [peer.transports, peer.producers, peer.consumers]) map.clear();
  room.peers.delete(peer.id);
  if (room.peers.size === 0) {
    room.router.close();
    rooms.delete(room.id);
  }
}

function describeProducer(peer, { id, kind, appData }) {
  return { producerId: id, peerId: peer.id, userId: peer.userId, kind, appData };
}

/** What a peer may ask for, and what it is answered as `data`. */
const EVENTS = {
  async createRoom(_peer, { callId }) {
    const { router } = await roomOf(callId);
    return { rtpCapabilities: router.rtpCapabilities };
  },

  async joinRoom(peer, { callId, userId, rtpCapabilities }) {
    const room = await roomOf(callId);
    if (peer.room !== undefined) throw new Error('already joined');
    Object.assign(peer, { room, userId, rtpCapabilities });
    const peers = [...room.peers.values()].map((other) => ({ peerId: other.id, userId: other.userId }));
    room.peers.set(peer.id, peer);
    tellOthers(peer, 'peerJoined', { peerId: peer.id, userId });
    return { peers };
  },

  async createTransport(peer) {
    const { router, webRtcServer } = joined(peer);
    const transport = await router.createWebRtcTransport({
      webRtcServer,
      enableUdp: true,
      enableTcp: false,
      initialAvailableOutgoingBitrate: INITIAL_BPS,
    });
    peer.transports.set(transport.id, transport);
    // Who left meanwhile has closed all others.
    if (peer.room === undefined) transport.close();
    const { id, iceParameters, iceCandidates, dtlsParameters } = transport;
    return { transport: { id, iceParameters, iceCandidates, dtlsParameters } };
  },

  async connectTransport(peer, { transportId, dtlsParameters }) {
    await known(peer.transports, transportId, 'transport').connect({ dtlsParameters });
  },

  async produce(peer, { transportId, kind, rtpParameters, appData }) {
    joined(peer);
    const producer = await known(peer.transports, transportId, 'transport').produce({ kind, rtpParameters, appData });
    peer.producers.set(producer.id, producer);
    if (peer.room !== undefined) tellOthers(peer, 'newProducer', describeProducer(peer, producer));
    return { id: producer.id };
  },

  async consume(peer, { transportId, producerId, rtpCapabilities = peer.rtpCapabilities, preferredLayers }) {
    const transport = known(peer.transports, transportId, 'transport');
    const consumer = await transport.consume({ producerId, rtpCapabilities, preferredLayers, paused: true });
    peer.consumers.set(consumer.id, consumer);
    consumer.on('producerclose', () => {
      peer.consumers.delete(consumer.id);
      peer.socket.emit('consumerClosed', { consumerId: consumer.id });
    });
    const { id, kind, rtpParameters, type, producerPaused, appData } = consumer;
    return { consumer: { id, producerId, kind, rtpParameters, type, producerPaused, appData } };
  },

  async resumeConsumer(peer, { consumerId }) {
    await known(peer.consumers, consumerId, 'consumer').resume();
  },

  async getProducers(peer, { callId }) {
    const { peers } = await roomOf(callId);
    const others = [...peers.values()].filter((other) => other !== peer);
    return {
      producers: others.flatMap((other) => [...other.producers.values()].map((producer) => describeProducer(other, producer))),
    };
  },

  async leaveRoom(peer) {
    leave(peer);
  },
};

function serve(socket) {
  const peer = { id: socket.id, socket, transports: new Map(), producers: new Map(), consumers: new Map() };
  for (const [event, handle] of Object.entries(EVENTS)) {
    socket.on(event, async (payload, acknowledge) => {
      try {
        const data = await handle(peer, payload ?? {});
        acknowledge?.({ success: true, data });
      } catch (error) {
        acknowledge?.({ success: false, error: error.message });
      }
    });
  }
  socket.on('disconnect', () => leave(peer));
}

const http = createServer((_request, response) => response.writeHead(404).end());
new Server(http, { perMessageDeflate: false }).on('connection', serve);
http.listen(port, ip, () => console.log(`mediasoup ${mediasoup.version} on http://${ip}:${port}`));
