import type { FirstFrame } from './harness/main';
import { expectPicture, publish, test } from './fixtures/test';

const RUNS = 10;
/** A publisher is asked for one key frame a second at most: whoever comes sooner waits for that, which is not measured here. */
const PAUSE_MS = 1_500;

test('time from consume to the first decoded frame', async ({ joinAs }) => {
  const ann = await joinAs('ann', 'room by direction');
  const warm = await joinAs('warm', 'room by direction');
  const first = await publish(ann, 'camera', 'video/VP8');
  const second = await publish(ann, 'camera', 'video/VP8');
  await expectPicture(warm, first);
  await expectPicture(warm, second);
  const cold: FirstFrame[] = [];
  const connected: FirstFrame[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    // oxlint-disable-next-line no-await-in-loop
    const watcher = await joinAs(`watcher-${run}`, 'room by direction', { isManual: true });
    // oxlint-disable-next-line no-await-in-loop
    await watcher.waitForTimeout(PAUSE_MS);
    // The first consumer waits for ICE and DTLS as well, the second has them.
    // oxlint-disable-next-line no-await-in-loop
    cold.push(await watcher.evaluate((id) => window.harness.timeToFirstFrame(id), first));
    // oxlint-disable-next-line no-await-in-loop
    connected.push(await watcher.evaluate((id) => window.harness.timeToFirstFrame(id), second));
    // oxlint-disable-next-line no-await-in-loop
    await watcher.close();
  }
  report('new transport', cold);
  report('connected transport', connected);
});

function report(name: string, runs: readonly FirstFrame[]): void {
  const line = (what: string, of: (run: FirstFrame) => number): void => {
    const samples = runs.map(of).sort((a, b) => a - b);
    const at = (part: number): string => (samples[Math.floor((samples.length - 1) * part)] ?? Number.NaN).toFixed(0);
    console.warn(`consume → ${what}, ${name}, ${RUNS} runs: median ${at(0.5)} ms, min ${at(0)}, max ${at(1)}`);
  };
  line('resumed', (run) => run.resumedMs);
  line('connected', (run) => run.connectedMs);
  line('first decoded frame', (run) => run.firstFrameMs);
}
