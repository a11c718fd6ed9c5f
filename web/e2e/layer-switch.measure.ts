import { expectedWidth, LAYERED, openLayered } from './fixtures/layers';
import { expect, test, type Page } from './fixtures/test';
import type { Sent } from './harness/layered';

const RUNS = 4;
const CAMERA_WIDTH = 960;
/** Each way from one layer to another, beginning and ending at the top. */
const WALK = [0, 1, 2, 1, 0, 2];
/** A publisher is asked for one key frame a second at most: a switch that comes sooner waits for that. */
const PAUSE_MS = 1_200;

const rows: string[] = [];

for (const { mimeType, layering } of LAYERED) {
  test(`milliseconds to the first picture of another layer, ${mimeType} ${layering}`, async ({ joinAs }) => {
    test.setTimeout(300_000);
    const { publisher, subscriber, producerId } = await openLayered(joinAs, mimeType, layering);
    const samples = new Map<string, number[]>();
    const frozenBefore = await frozenMs(subscriber, producerId);
    for (let run = 0; run < RUNS; run += 1) {
      let from = 2;
      for (const to of WALK) {
        // oxlint-disable-next-line no-await-in-loop
        await publisher.waitForTimeout(PAUSE_MS);
        // oxlint-disable-next-line no-await-in-loop
        const encodings = await sentWhole(publisher, producerId);
        // oxlint-disable-next-line no-await-in-loop
        const elapsedMs = await subscriber.evaluate(
          ([id, layer, width]) => window.harness.timeToSwitch(id, layer, width),
          [producerId, to, expectedWidth(encodings, to)] as const,
        );
        const way = `${from}→${to}`;
        samples.set(way, [...(samples.get(way) ?? []), elapsedMs]);
        from = to;
      }
    }
    const columns = ['2→0', '2→1', '1→0', '0→1', '1→2', '0→2'].map((way) => cell(samples.get(way) ?? []));
    const frozen = (await frozenMs(subscriber, producerId)) - frozenBefore;
    rows.push(`| ${mimeType.replace('video/', '')} ${layering} | ${columns.join(' | ')} | ${Math.round(frozen)} |`);
  });
}

test.afterAll(() => {
  const head =
    '| median (least–most), ms | 2→0 | 2→1 | 1→0 | 0→1 | 1→2 | 0→2 | frozen, all |\n|---|---|---|---|---|---|---|---|';
  console.warn(`\n${head}\n${rows.join('\n')}`);
});

/** What is sent, once it is as large as the camera: under load a browser makes its pictures smaller for a while. */
async function sentWhole(publisher: Page, producerId: string): Promise<Sent[]> {
  let encodings: Sent[] = [];
  await expect
    .poll(async () => {
      encodings = await publisher.evaluate((id) => window.harness.sent(id), producerId);
      return encodings.at(-1)?.frameWidth;
    })
    .toBe(CAMERA_WIDTH);
  return encodings;
}

/** How long the viewer's picture has stood still, as Chromium counts, in milliseconds. */
async function frozenMs(subscriber: Page, producerId: string): Promise<number> {
  const { totalFreezesDuration } = await subscriber.evaluate((id) => window.harness.received(id), producerId);
  return totalFreezesDuration * 1_000;
}

function cell(samples: readonly number[]): string {
  const sorted = samples.map(Math.round).sort((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)]} (${sorted[0]}–${sorted.at(-1)})`;
}
