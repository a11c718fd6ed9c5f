import { DTLS_PARAMETERS, opusParameters, vp8Parameters, vp8SimulcastParameters } from './fixtures/parameters';
import { RawClient, type Fields } from './fixtures/socket';
import { expect, test as base } from './fixtures/test';

/** An id of the right form that nobody has. */
const NOBODY = '00000000-0000-4000-8000-000000000000';

interface Clients {
  connect: (transport?: 'websocket' | 'polling') => Promise<RawClient>;
}

const test = base.extend<Clients>({
  connect: async ({ server }, use) => {
    const clients: RawClient[] = [];
    await use(async (transport) => {
      const client = await RawClient.connect(server.url, transport);
      clients.push(client);
      return client;
    });
    for (const client of clients) {
      client.close();
    }
  },
});

const TRANSPORT_SHAPE = {
  id: expect.any(String),
  iceParameters: expect.objectContaining({ usernameFragment: expect.any(String), password: expect.any(String) }),
  iceCandidates: expect.any(Array),
  dtlsParameters: expect.objectContaining({ fingerprints: expect.any(Array) }),
};

async function expectReceived(client: RawClient, name: string, fields: Fields): Promise<void> {
  await expect.poll(() => client.received(name), name).toContainEqual(expect.objectContaining(fields));
}

/** The error says what is wrong: it names the field or the id. */
function expectError(answer: unknown, naming: string): void {
  expect(answer).toEqual({ error: expect.stringContaining(naming) });
}

function expectFailure(answer: unknown, naming: string): void {
  expect(answer).toEqual({ success: false, error: expect.stringContaining(naming) });
}

/** An entry of the list of who is online. */
function online(userId: string): unknown {
  return expect.objectContaining({ userId, status: 'online', lastSeen: expect.stringMatching(/^\d{4}-.*Z$/) });
}

async function roomTransport(client: RawClient, roomId: string, wish: Fields): Promise<string> {
  return (await client.fields('createWebRtcTransport', { roomId, ...wish }))['id'] as string;
}

for (const transport of ['websocket', 'polling'] as const) {
  test.describe(`over ${transport}`, () => {
    test('the call vocabulary answers in envelopes', async ({ connect, roomId: callId }) => {
      const ann = await connect(transport);
      const bob = await connect(transport);
      const created = await ann.fields('createRoom', { callId });
      expect(created).toEqual({
        success: true,
        data: { rtpCapabilities: { codecs: expect.any(Array), headerExtensions: expect.any(Array) } },
      });
      const { rtpCapabilities } = created['data'] as Fields;
      expect(await ann.ask('joinRoom', { callId, userId: 'ann', rtpCapabilities })).toEqual({
        success: true,
        data: { peers: [] },
      });
      await bob.ask('createRoom', { callId });
      expect(await bob.ask('joinRoom', { callId, userId: 'bob', rtpCapabilities })).toEqual({
        success: true,
        data: { peers: [{ peerId: ann.id, userId: 'ann' }] },
      });
      await expectReceived(ann, 'peerJoined', { peerId: bob.id, userId: 'bob' });

      const sending = await ann.fields('createTransport', { direction: 'send' });
      expect(sending).toEqual({ success: true, data: { transport: expect.objectContaining(TRANSPORT_SHAPE) } });
      const transportId = ((sending['data'] as Fields)['transport'] as Fields)['id'];
      expect(await ann.fields('connectTransport', { transportId, dtlsParameters: DTLS_PARAMETERS })).toMatchObject({
        success: true,
      });
      const produced = await ann.fields('produce', {
        transportId,
        kind: 'audio',
        rtpParameters: opusParameters(),
        appData: { label: 'one' },
      });
      expect(produced).toEqual({ success: true, data: { id: expect.any(String) } });
      const producerId = (produced['data'] as Fields)['id'];
      const announced = { producerId, peerId: ann.id, userId: 'ann', kind: 'audio', appData: { label: 'one' } };
      await expectReceived(bob, 'newProducer', announced);
      expect(await bob.ask('getProducers', { callId })).toEqual({ success: true, data: { producers: [announced] } });
      expect(await ann.ask('getProducers', { callId })).toEqual({ success: true, data: { producers: [] } });

      const receiving = await bob.fields('createTransport', { direction: 'recv' });
      const recvId = ((receiving['data'] as Fields)['transport'] as Fields)['id'];
      const consumed = await bob.fields('consume', { transportId: recvId, producerId, rtpCapabilities });
      expect(consumed).toEqual({
        success: true,
        data: {
          consumer: expect.objectContaining({
            id: expect.any(String),
            producerId,
            kind: 'audio',
            rtpParameters: expect.objectContaining({ codecs: expect.any(Array) }),
            type: 'simple',
            producerPaused: false,
          }),
        },
      });
      const consumerId = ((consumed['data'] as Fields)['consumer'] as Fields)['id'];
      expect(await bob.fields('resumeConsumer', { consumerId })).toMatchObject({ success: true });

      expect(await ann.fields('leaveRoom')).toMatchObject({ success: true });
      await expectReceived(bob, 'peerLeft', { peerId: ann.id, userId: 'ann' });
    });

    test('the room vocabulary by direction answers flat, and null to connecting', async ({ connect, roomId }) => {
      const ann = await connect(transport);
      const bob = await connect(transport);
      const capabilities = await ann.fields('getRouterRtpCapabilities', { roomId });
      expect(capabilities).toMatchObject({
        codecs: expect.any(Array),
        headerExtensions: expect.any(Array),
        rtpCapabilities: { codecs: capabilities['codecs'], headerExtensions: capabilities['headerExtensions'] },
      });
      expect(await ann.ask('joinRoom', { roomId, userId: 'ann', userName: 'Ann' })).toEqual({
        participants: [],
        activeProducers: [],
      });
      const sending = await ann.fields('createWebRtcTransport', { roomId, direction: 'send' });
      expect(sending).toMatchObject({ ...TRANSPORT_SHAPE, params: TRANSPORT_SHAPE });
      const transportId = sending['id'];
      expect(await ann.ask('connectWebRtcTransport', { transportId, dtlsParameters: DTLS_PARAMETERS })).toBeNull();
      const produced = await ann.fields('produce', {
        roomId,
        transportId,
        kind: 'video',
        rtpParameters: vp8Parameters(),
        appData: { type: 'camera' },
      });
      const producerId = produced['id'];
      expect(produced).toEqual({ id: expect.any(String), producerId });

      expect(await bob.ask('joinRoom', { roomId, userId: 'bob', userName: 'Bob' })).toEqual({
        participants: [{ userId: 'ann', userName: 'Ann', socketId: ann.id }],
        activeProducers: [{ producerId, userId: 'ann', kind: 'video', appData: { type: 'camera' } }],
      });
      await expectReceived(ann, 'userJoined', { userId: 'bob', userName: 'Bob', socketId: bob.id });
      const recvId = await roomTransport(bob, roomId, { direction: 'recv' });
      const consumed = await bob.fields('consume', {
        roomId,
        producerId,
        transportId: recvId,
        rtpCapabilities: capabilities['rtpCapabilities'],
      });
      const consumer = { id: expect.any(String), producerId, kind: 'video', type: 'simple', producerPaused: false };
      expect(consumed).toMatchObject({ ...consumer, params: consumer });
      expect(await bob.ask('resumeConsumer', { consumerId: consumed['id'] })).toBeNull();

      ann.emit('pauseProducer', { producerId, roomId, kind: 'video' });
      await expectReceived(bob, 'producerPaused', { producerId, userId: 'ann', kind: 'video' });
      ann.emit('resumeProducer', { producerId, roomId, kind: 'video' });
      await expectReceived(bob, 'producerResumed', { producerId, userId: 'ann', kind: 'video' });
      ann.emit('producerClosed', { producerId, roomId });
      await expectReceived(bob, 'producerClosed', { producerId, userId: 'ann', socketId: ann.id });

      expect(await ann.ask('leaveRoom', { roomId, userId: 'ann' })).toEqual({});
      await expectReceived(bob, 'userLeft', { userId: 'ann', socketId: ann.id });
    });

    test('the room vocabulary by producing and consuming answers {} to connecting', async ({ connect, roomId }) => {
      const ann = await connect(transport);
      const bob = await connect(transport);
      ann.emit('userOnline', 'ann');
      expect(await ann.ask('joinRoom', { roomId })).toEqual({ participants: [], activeProducers: [] });
      bob.emit('userOnline', 'bob');
      expect(await bob.fields('joinRoom', { roomId })).toMatchObject({
        participants: [{ userId: 'ann', socketId: ann.id }],
      });
      const capabilities = await ann.fields('getRouterRtpCapabilities', { roomId });
      const transportId = await roomTransport(ann, roomId, { producing: true, consuming: false });
      expect(await ann.ask('connectWebRtcTransport', { transportId, dtlsParameters: DTLS_PARAMETERS })).toEqual({});
      const produced = await ann.fields('produce', {
        transportId,
        kind: 'audio',
        rtpParameters: opusParameters(),
        appData: { roomId },
      });
      const { producerId } = produced;
      await expectReceived(bob, 'newProducer', { producerId, userId: 'ann', kind: 'audio', socketId: ann.id });
      await roomTransport(bob, roomId, { producing: false, consuming: true });
      const consumed = await bob.fields('consume', { roomId, producerId, rtpCapabilities: capabilities });
      expect(consumed).toMatchObject({ producerId, kind: 'audio', params: { id: consumed['id'] } });
    });
  });
}

test('what matters to a client is asked alike in both vocabularies', async ({ connect, roomId }) => {
  const ann = await connect();
  const bob = await connect();
  const cleo = await connect();
  const { rtpCapabilities } = await ann.fields('getRouterRtpCapabilities', { roomId });
  await ann.ask('joinRoom', { roomId, userId: 'ann', userName: 'Ann' });
  const sendId = await roomTransport(ann, roomId, { direction: 'send' });
  const { producerId } = await ann.fields('produce', {
    transportId: sendId,
    kind: 'video',
    rtpParameters: vp8SimulcastParameters(),
    appData: {},
  });

  await bob.ask('joinRoom', { roomId, userId: 'bob', userName: 'Bob' });
  const recvId = await roomTransport(bob, roomId, { direction: 'recv' });
  const wish = { producerId, transportId: recvId, rtpCapabilities, preferredLayers: { spatialLayer: 0 } };
  const consumer = await bob.fields('consume', wish);
  expect(consumer).toMatchObject({ type: 'simulcast', preferredLayers: { spatialLayer: 0 } });
  const consumerId = consumer['id'];
  expect(await bob.fields('setPreferredLayers', { consumerId, spatialLayer: 1, temporalLayer: 0 })).toEqual({
    preferredLayers: { spatialLayer: 1, temporalLayer: 0 },
  });
  expect(await bob.ask('setPriority', { consumerId, priority: 255 })).toEqual({});
  expect(await bob.ask('setMaxOutgoingBitrate', { transportId: recvId, bitrate: 500_000 })).toEqual({});
  expect(await ann.ask('setMaxIncomingBitrate', { transportId: sendId, bitrate: 500_000 })).toEqual({});
  expect(await bob.fields('getStats', { transportId: recvId })).toEqual({
    stats: [expect.objectContaining({ type: 'webrtc-transport', transportId: recvId })],
  });
  expect(await ann.fields('getStats', { producerId })).toEqual({ stats: [] });
  expect(await bob.fields('getStats', { consumerId })).toEqual({
    stats: [expect.objectContaining({ type: 'outbound-rtp', kind: 'video' })],
  });
  expect(await bob.ask('enableTraceEvent', { consumerId, types: ['pli', 'nack'] })).toEqual({});

  await cleo.ask('createRoom', { callId: roomId });
  const created = (await cleo.fields('createTransport', { direction: 'recv' }))['data'] as Fields;
  const { id: transportId } = created['transport'] as Fields;
  const consumed = (await cleo.fields('consume', { producerId, transportId, rtpCapabilities }))['data'] as Fields;
  const { id } = consumed['consumer'] as Fields;
  expect(await cleo.ask('setPreferredLayers', { consumerId: id, spatialLayer: 0, temporalLayer: 2 })).toEqual({
    success: true,
    data: { preferredLayers: { spatialLayer: 0, temporalLayer: 2 } },
  });
  expect(await cleo.ask('setPriority', { consumerId: id, priority: 1 })).toEqual({ success: true });
  expect(await cleo.ask('getStats', { transportId })).toEqual({
    success: true,
    data: { stats: [expect.objectContaining({ type: 'webrtc-transport' })] },
  });
  expectFailure(await cleo.ask('setPriority', { consumerId: id, priority: 0 }), 'priority');
  expectFailure(await cleo.ask('getStats', { consumerId }), String(consumerId));

  expectError(await bob.ask('setPreferredLayers', { consumerId, spatialLayer: 'high' }), 'spatialLayer');
  expectError(await bob.ask('consume', { ...wish, preferredLayers: {} }), 'preferredLayers');
  expectError(await bob.ask('consume', { ...wish, appData: 7 }), 'appData');
  expectError(await bob.ask('setPreferredLayers', { consumerId: id, spatialLayer: 0 }), String(id));
  expectError(await bob.ask('setMaxOutgoingBitrate', { transportId: recvId }), 'bitrate');
  expectError(await bob.ask('getStats', {}), 'transportId');
  expectError(await bob.ask('enableTraceEvent', { consumerId, types: ['bwe'] }), 'types[0]');
});

test('a screen share gets its type, and stopping it is a closed producer', async ({ connect, roomId }) => {
  const ann = await connect();
  const bob = await connect();
  await ann.ask('joinRoom', { roomId, userId: 'ann', userName: 'Ann' });
  await bob.ask('joinRoom', { roomId, userId: 'bob', userName: 'Bob' });
  const transportId = await roomTransport(ann, roomId, { direction: 'send' });
  const { producerId } = await ann.fields('startScreenShare', {
    roomId,
    transportId,
    kind: 'video',
    rtpParameters: vp8Parameters(),
    appData: {},
  });
  await expectReceived(bob, 'newProducer', { producerId, appData: expect.objectContaining({ type: 'screen' }) });
  expect(await ann.ask('stopScreenShare', { roomId, producerId })).toEqual({});
  await expectReceived(bob, 'producerClosed', { producerId, userId: 'ann' });
});

test('chat goes to the room, or to one person and back to the sender', async ({ connect, roomId }) => {
  const [ann, bob, cleo] = [await connect(), await connect(), await connect()];
  for (const [client, userId] of [
    [ann, 'ann'],
    [bob, 'bob'],
    [cleo, 'cleo'],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop
    await client.ask('joinRoom', { roomId, userId, userName: userId });
  }
  ann.emit('sendMessage', { roomId, message: 'to bob', senderName: 'Ann', recipientId: 'bob' });
  await expectReceived(bob, 'messageReceived', {
    senderId: 'ann',
    senderName: 'Ann',
    message: 'to bob',
    isPrivate: true,
  });
  await expectReceived(ann, 'messageReceived', { message: 'to bob', isPrivate: true });
  ann.emit('sendMessage', { roomId, message: 'to all', senderName: 'Ann' });
  await expectReceived(cleo, 'messageReceived', {
    senderId: 'ann',
    message: 'to all',
    isPrivate: false,
    timestamp: expect.anything(),
  });
  await expectReceived(ann, 'messageReceived', { message: 'to all' });
  // Sent before "to all", so it would have come first.
  expect(cleo.received('messageReceived').map(({ message }) => message)).toEqual(['to all']);
});

test('presence follows userOnline', async ({ connect }) => {
  const watcher = await connect();
  watcher.emit('userOnline', 'watcher');
  await expect.poll(() => watcher.received('onlineUsersList')).toEqual([expect.arrayContaining([online('watcher')])]);
  const ann = await connect();
  ann.emit('userOnline', 'ann-online');
  await expectReceived(watcher, 'userStatusChanged', { userId: 'ann-online', status: 'online' });
  ann.emit('typing', { receiverId: 'watcher', isTyping: true });
  await expectReceived(watcher, 'userTyping', { senderId: 'ann-online', isTyping: true });
  watcher.emit('getOnlineUsers');
  await expect
    .poll(() => watcher.received('onlineUsersList').slice(1))
    .toEqual([expect.arrayContaining([online('watcher'), online('ann-online')])]);
  ann.close();
  await expectReceived(watcher, 'userStatusChanged', { userId: 'ann-online', status: 'offline' });
});

test('a user is online until the last of their sockets is gone', async ({ connect, roomId }) => {
  const watcher = await connect();
  const [laptop, phone] = [await connect(), await connect()];
  await watcher.ask('userOnline', 'socket-watcher');
  await laptop.ask('userOnline', 'bob-twice');
  await phone.ask('userOnline', 'bob-twice');
  const news = (): unknown[] =>
    watcher
      .received('userStatusChanged')
      .filter(({ userId }) => userId === 'bob-twice')
      .map(({ status }) => status);
  await watcher.ask('joinRoom', { roomId });
  await laptop.ask('joinRoom', { roomId });
  const socketId = laptop.id;
  laptop.close();
  // That it is gone is known by the room.
  await expectReceived(watcher, 'userLeft', { userId: 'bob-twice', socketId });
  await watcher.ask('typing', { receiverId: 'bob-twice', isTyping: true });
  await expectReceived(phone, 'userTyping', { senderId: 'socket-watcher', isTyping: true });
  expect(news()).toEqual(['online']);
  phone.close();
  await expect.poll(news).toEqual(['online', 'offline']);
  expectError(await watcher.ask('typing', { receiverId: 'bob-twice', isTyping: true }), 'receiverId');
});

test('presence refuses what is no id, and typing by nobody', async ({ connect }) => {
  const ann = await connect();
  expectError(await ann.ask('typing', { receiverId: 'ann', isTyping: true }), 'userOnline');
  for (const bad of [7, '', 'u'.repeat(257), { userId: 'ann' }]) {
    // oxlint-disable-next-line no-await-in-loop
    expectError(await ann.ask('userOnline', bad), 'userId');
  }
  expect(ann.received('onlineUsersList')).toEqual([]);
});

test('a client that goes away is told as left, with its producers closed', async ({ connect, roomId }) => {
  const ann = await connect();
  const bob = await connect();
  const cleo = await connect();
  await ann.ask('joinRoom', { roomId, userId: 'ann', userName: 'Ann' });
  await bob.ask('joinRoom', { roomId, userId: 'bob', userName: 'Bob' });
  await cleo.ask('createRoom', { callId: roomId });
  await cleo.ask('joinRoom', { callId: roomId, userId: 'cleo', rtpCapabilities: { codecs: [], headerExtensions: [] } });
  const transportId = await roomTransport(ann, roomId, { direction: 'send' });
  const { producerId } = await ann.fields('produce', {
    roomId,
    transportId,
    kind: 'audio',
    rtpParameters: opusParameters(),
    appData: {},
  });
  const socketId = ann.id;
  ann.close();
  await expectReceived(bob, 'userLeft', { userId: 'ann', socketId });
  await expectReceived(bob, 'producerClosed', { producerId });
  await expectReceived(cleo, 'peerLeft', { userId: 'ann', peerId: socketId });
});

test.describe('bad input gets an error that names it, and changes nothing', () => {
  test('in the room vocabulary', async ({ connect, roomId }) => {
    const ann = await connect();
    const bob = await connect();
    await bob.ask('joinRoom', { roomId, userId: 'bob', userName: 'Bob' });
    expectError(await ann.ask('getRouterRtpCapabilities', {}), 'roomId');
    expectError(await ann.ask('getRouterRtpCapabilities', { roomId: 7 }), 'roomId');
    await ann.ask('joinRoom', { roomId, userId: 'ann', userName: 'Ann' });
    expectError(await ann.ask('joinRoom', { userId: 'ann' }), 'roomId');
    expectError(await ann.ask('joinRoom', { roomId: 7, userId: 'ann' }), 'roomId');
    const transportId = await roomTransport(ann, roomId, { direction: 'send' });
    const good = { roomId, transportId, kind: 'audio', rtpParameters: opusParameters(), appData: {} };

    expectError(await ann.ask('createWebRtcTransport', { roomId, direction: 'sideways' }), 'direction');
    expectError(await ann.ask('connectWebRtcTransport', { dtlsParameters: DTLS_PARAMETERS }), 'transportId');
    expectError(await ann.ask('connectWebRtcTransport', { transportId }), 'dtlsParameters');
    expectError(
      await ann.ask('connectWebRtcTransport', { transportId: NOBODY, dtlsParameters: DTLS_PARAMETERS }),
      NOBODY,
    );
    expectError(await ann.ask('produce', { ...good, kind: 'smell' }), 'kind');
    expectError(await ann.ask('produce', { ...good, rtpParameters: undefined }), 'rtpParameters');
    expectError(await ann.ask('produce', { ...good, transportId: NOBODY }), NOBODY);
    expectError(await bob.ask('produce', good), transportId);
    expectError(await ann.ask('consume', { roomId, rtpCapabilities: {} }), 'producerId');
    expectError(await ann.ask('resumeConsumer', { consumerId: NOBODY }), NOBODY);
    expectError(await ann.ask('resumeConsumer', {}), 'consumerId');
    expectError(await ann.ask('joinRoom', 'not an object'), '');

    expect(bob.received('newProducer')).toEqual([]);
    expect(await bob.fields('getProducers', { roomId })).toEqual({ producers: [] });
    // And the good one still works.
    expect(await ann.fields('produce', good)).toHaveProperty('id');
  });

  test('in the call vocabulary', async ({ connect, roomId: callId }) => {
    const ann = await connect();
    const { rtpCapabilities } = (await ann.fields('createRoom', { callId }))['data'] as Fields;
    await ann.ask('joinRoom', { callId, userId: 'ann', rtpCapabilities });
    expectFailure(await ann.ask('createTransport', { direction: 'sideways' }), 'direction');
    expectFailure(await ann.ask('connectTransport', { dtlsParameters: DTLS_PARAMETERS }), 'transportId');
    expectFailure(await ann.ask('resumeConsumer', { consumerId: NOBODY }), NOBODY);
    expectFailure(await ann.ask('consume', { transportId: NOBODY, producerId: NOBODY, rtpCapabilities }), NOBODY);
  });

  test('a consumer of somebody else cannot be resumed', async ({ connect, roomId }) => {
    const ann = await connect();
    const bob = await connect();
    const { rtpCapabilities } = await ann.fields('getRouterRtpCapabilities', { roomId });
    await ann.ask('joinRoom', { roomId, userId: 'ann', userName: 'Ann' });
    await bob.ask('joinRoom', { roomId, userId: 'bob', userName: 'Bob' });
    const transportId = await roomTransport(ann, roomId, { direction: 'send' });
    const { producerId } = await ann.fields('produce', {
      roomId,
      transportId,
      kind: 'audio',
      rtpParameters: opusParameters(),
      appData: {},
    });
    const recvId = await roomTransport(bob, roomId, { direction: 'recv' });
    const consumed = await bob.fields('consume', { roomId, producerId, transportId: recvId, rtpCapabilities });
    const consumerId = consumed['id'] as string;
    expectError(await ann.ask('resumeConsumer', { consumerId }), consumerId);
    expectError(await bob.ask('stopScreenShare', { roomId, producerId }), producerId as string);
  });

  test('an event without a callback does no harm, good or bad', async ({ connect, roomId }) => {
    const ann = await connect();
    ann.emit('joinRoom', { roomId: 7 });
    ann.emit('consume', null);
    ann.emit('joinRoom', { roomId, userId: 'ann', userName: 'Ann' });
    const bob = await connect();
    await expect
      .poll(async () => (await bob.fields('joinRoom', { roomId, userId: 'bob', userName: 'Bob' }))['participants'])
      .toContainEqual(expect.objectContaining({ userId: 'ann' }));
  });
});

test('health and statistics are served', async ({ server, connect, roomId, request }) => {
  const health = (await (await request.get(`${server.url}/health`)).json()) as Fields;
  expect(health).toMatchObject({ status: 'healthy', service: 'webrtc' });
  expect(Number.isNaN(Date.parse(String(health['timestamp'])))).toBe(false);
  const ann = await connect();
  await ann.ask('joinRoom', { roomId, userId: 'ann', userName: 'Ann' });
  const stats = (await (await request.get(`${server.url}/stats`)).json()) as Record<string, number>;
  expect(stats['rooms']).toBeGreaterThan(0);
  expect(stats['peers']).toBeGreaterThan(0);
  expect(stats['workers']).toBeGreaterThan(0);
});

test('an empty room is forgotten', async ({ startServer, request }) => {
  const ownServer = await startServer();
  const ann = await RawClient.connect(ownServer.url);
  await ann.ask('joinRoom', { roomId: 'brief', userId: 'ann', userName: 'Ann' });
  const stats = async (): Promise<Fields> => (await (await request.get(`${ownServer.url}/stats`)).json()) as Fields;
  expect(await stats()).toMatchObject({ rooms: 1, peers: 1 });
  ann.close();
  await expect.poll(stats).toMatchObject({ rooms: 0, peers: 0 });
});

test('only the configured origin may read answers from elsewhere', async ({ startServer, request }) => {
  const server = await startServer({ FRONTEND_URL: 'https://app.example' });
  const ask = async (origin: string): Promise<{ status: number; allowed: string | undefined }> => {
    const answer = await request.get(`${server.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });
    return { status: answer.status(), allowed: answer.headers()['access-control-allow-origin'] };
  };
  expect(await ask('https://app.example')).toEqual({ status: 200, allowed: 'https://app.example' });
  expect(await ask('https://evil.example')).toEqual({ status: 403, allowed: undefined });
});

test('the client is served, also under the path of a room, and unknown files are not', async ({ server, request }) => {
  const page = await (await request.get(server.url)).text();
  expect(page).toContain('<div id="root">');
  expect(await (await request.get(`${server.url}/r/calm-river`)).text()).toBe(page);
  expect((await request.get(`${server.url}/assets/no-such-file.js`)).status()).toBe(404);
});
