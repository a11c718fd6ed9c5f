/** A word and the pause after it: a tone without pauses is taken for the noise of a fan. */
const WORD_S = 0.42;
const PAUSE_S = 0.08;
const PITCH_HZ = 220;
const AMPLITUDE = 0.5;

/** Somebody who speaks or is silent, as the test says; silent at first. */
export class Voice {
  readonly track: MediaStreamTrack;
  readonly #loudness: GainNode;

  constructor() {
    const context = new AudioContext();
    const words = context.createBufferSource();
    words.buffer = oneWord(context);
    words.loop = true;
    this.#loudness = context.createGain();
    this.#loudness.gain.value = 0;
    const out = context.createMediaStreamDestination();
    words.connect(this.#loudness).connect(out);
    words.start();
    const [track] = out.stream.getAudioTracks();
    if (!track) {
      throw new Error('no audio track');
    }
    this.track = track;
  }

  set isSpeaking(speaks: boolean) {
    this.#loudness.gain.value = speaks ? 1 : 0;
  }
}

function oneWord(context: AudioContext): AudioBuffer {
  const buffer = context.createBuffer(1, context.sampleRate * (WORD_S + PAUSE_S), context.sampleRate);
  const samples = buffer.getChannelData(0);
  for (let index = 0; index < context.sampleRate * WORD_S; index += 1) {
    samples[index] = AMPLITUDE * Math.sin((2 * Math.PI * PITCH_HZ * index) / context.sampleRate);
  }
  return buffer;
}
