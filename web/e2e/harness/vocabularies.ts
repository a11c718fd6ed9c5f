import type { types } from 'mediasoup-client';
import { Client, type Answer, type TransportDirection } from './client';

/** Clients of document 003: `callId`, and an envelope around every answer. */
export class CallClient extends Client {
  protected async enter(): Promise<string[]> {
    const { roomId: callId, userId } = this.options;
    const { rtpCapabilities } = await this.#data('createRoom', { callId });
    await this.load(rtpCapabilities as types.RtpCapabilities);
    await this.#data('joinRoom', { callId, userId, rtpCapabilities: this.recvRtpCapabilities });
    await this.openTransports();
    const { producers } = await this.#data('getProducers', { callId });
    return (producers as { producerId: string }[]).map(({ producerId }) => producerId);
  }

  protected async createTransport(direction: TransportDirection): Promise<types.TransportOptions> {
    return (await this.#data('createTransport', { direction }))['transport'] as types.TransportOptions;
  }

  protected async connectTransport(transportId: string, dtlsParameters: types.DtlsParameters): Promise<void> {
    await this.#envelope('connectTransport', { transportId, dtlsParameters });
  }

  protected async produce(
    transportId: string,
    kind: types.MediaKind,
    rtpParameters: types.RtpParameters,
    appData: types.AppData,
  ): Promise<string> {
    return (await this.#data('produce', { transportId, kind, rtpParameters, appData }))['id'] as string;
  }

  protected async requestConsumer(producerId: string): Promise<types.ConsumerOptions> {
    const { consumer } = await this.#data('consume', {
      transportId: this.recvTransport.id,
      producerId,
      rtpCapabilities: this.recvRtpCapabilities,
    });
    return consumer as types.ConsumerOptions;
  }

  protected async resume(consumerId: string): Promise<void> {
    await this.#envelope('resumeConsumer', { consumerId });
  }

  async leave(): Promise<void> {
    // With the callback as the only argument, as some clients do.
    const answer = (await this.ask('leaveRoom')) as Answer;
    if (answer['success'] !== true) {
      throw new Error(`leaveRoom: ${JSON.stringify(answer)}`);
    }
  }

  async #envelope(event: string, payload: object): Promise<Answer> {
    const answer = (await this.ask(event, payload)) as Answer;
    if (answer['success'] !== true) {
      throw new Error(`${event}: ${JSON.stringify(answer['error'])}`);
    }
    return answer;
  }

  async #data(event: string, payload: object): Promise<Answer> {
    return (await this.#envelope(event, payload))['data'] as Answer;
  }
}

/** Clients of document 001: transports by `direction`, media before `joinRoom`, any truthy connect answer an error. */
export class DirectionClient extends Client {
  protected async enter(): Promise<string[]> {
    const { roomId, userId, userName } = this.options;
    const { rtpCapabilities } = await this.#flat('getRouterRtpCapabilities', { roomId });
    await this.load(rtpCapabilities as types.RtpCapabilities);
    await this.openTransports();
    const { activeProducers } = await this.#flat('joinRoom', { roomId, userId, userName });
    return (activeProducers as { producerId: string }[]).map(({ producerId }) => producerId);
  }

  protected async createTransport(direction: TransportDirection): Promise<types.TransportOptions> {
    const { roomId } = this.options;
    return (await this.#flat('createWebRtcTransport', { roomId, direction })) as unknown as types.TransportOptions;
  }

  protected async connectTransport(transportId: string, dtlsParameters: types.DtlsParameters): Promise<void> {
    const error = await this.ask('connectWebRtcTransport', { transportId, dtlsParameters });
    if (error) {
      throw new Error(`connectWebRtcTransport: ${JSON.stringify(error)}`);
    }
  }

  protected async produce(
    transportId: string,
    kind: types.MediaKind,
    rtpParameters: types.RtpParameters,
    appData: types.AppData,
  ): Promise<string> {
    const event = appData['type'] === 'screen' ? 'startScreenShare' : 'produce';
    const { roomId } = this.options;
    return (await this.#flat(event, { roomId, transportId, kind, rtpParameters, appData }))['id'] as string;
  }

  protected async requestConsumer(producerId: string): Promise<types.ConsumerOptions> {
    const { roomId } = this.options;
    const { id, kind, rtpParameters } = await this.#flat('consume', {
      roomId,
      producerId,
      rtpCapabilities: this.recvRtpCapabilities,
      transportId: this.recvTransport.id,
    });
    return { id, producerId, kind, rtpParameters } as types.ConsumerOptions;
  }

  protected async resume(consumerId: string): Promise<void> {
    const error = await this.ask('resumeConsumer', { consumerId });
    if (error) {
      throw new Error(`resumeConsumer: ${JSON.stringify(error)}`);
    }
  }

  async leave(): Promise<void> {
    const { roomId, userId } = this.options;
    await this.#flat('leaveRoom', { roomId, userId });
  }

  async #flat(event: string, payload: object): Promise<Answer> {
    return refuse(event, (await this.ask(event, payload)) as Answer);
  }
}

/**
 * Clients of documents 000 and 004: transports by `producing`/`consuming`, the capabilities' answer loaded as it is,
 * answers read from `params`, `consume` without a transport, and no `resumeConsumer` ever.
 */
export class ProducingClient extends Client {
  protected async enter(): Promise<string[]> {
    const { roomId, userId } = this.options;
    this.emit('userOnline', userId);
    const { activeProducers } = await this.#flat('joinRoom', { roomId });
    await this.load(await this.#flat('getRouterRtpCapabilities', { roomId }));
    await this.openTransports();
    return (activeProducers as { producerId: string }[]).map(({ producerId }) => producerId);
  }

  protected async createTransport(direction: TransportDirection): Promise<types.TransportOptions> {
    const { params } = await this.#flat('createWebRtcTransport', {
      roomId: this.options.roomId,
      producing: direction === 'send',
      consuming: direction === 'recv',
      sctpCapabilities: { numStreams: { OS: 1024, MIS: 1024 } },
    });
    return params as types.TransportOptions;
  }

  protected async connectTransport(transportId: string, dtlsParameters: types.DtlsParameters): Promise<void> {
    const answer = (await this.ask('connectWebRtcTransport', { transportId, dtlsParameters })) as Answer;
    // Reads a field of the answer without looking whether there is one.
    if (answer['error']) {
      throw new Error(`connectWebRtcTransport: ${JSON.stringify(answer['error'])}`);
    }
  }

  protected async produce(
    transportId: string,
    kind: types.MediaKind,
    rtpParameters: types.RtpParameters,
    appData: types.AppData,
  ): Promise<string> {
    const { roomId } = this.options;
    const isScreen = appData['type'] === 'screen';
    // The room may travel in appData; a screen share may come without its type.
    const payload = {
      transportId,
      kind,
      rtpParameters,
      appData: isScreen ? { roomId } : { ...appData, roomId },
    };
    return (await this.#flat(isScreen ? 'startScreenShare' : 'produce', payload))['producerId'] as string;
  }

  protected async requestConsumer(producerId: string): Promise<types.ConsumerOptions> {
    const { params } = await this.#flat('consume', {
      roomId: this.options.roomId,
      producerId,
      rtpCapabilities: this.recvRtpCapabilities,
    });
    const { id, kind, rtpParameters } = params as Required<types.ConsumerOptions>;
    return { id, producerId, kind, rtpParameters };
  }

  protected resume(): Promise<void> {
    return Promise.resolve();
  }

  async leave(): Promise<void> {
    await this.#flat('leaveRoom', { roomId: this.options.roomId });
  }

  async #flat(event: string, payload: object): Promise<Answer> {
    return refuse(event, (await this.ask(event, payload)) as Answer);
  }
}

function refuse(event: string, answer: Answer): Answer {
  if (answer['error'] !== undefined) {
    throw new Error(`${event}: ${JSON.stringify(answer['error'])}`);
  }
  return answer;
}
