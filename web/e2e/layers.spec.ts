import type { Page } from '@playwright/test';
import { expectedWidth, LAYERED, openLayered, type Layered } from './fixtures/layers';
import { events, expect, openHarness, test } from './fixtures/test';

const TOP = 2;
/** From the top, each way from one layer to another once. */
const SPATIAL_WALK = [0, 1, 2, 1, 0, 2];
/** Which part of the pictures each temporal layer has, between these bounds: a quarter, a half, all. */
const TEMPORAL_PARTS = [
  { temporal: 0, least: 0.17, most: 0.35 },
  { temporal: 1, least: 0.4, most: 0.65 },
  { temporal: 2, least: 0.85, most: 1.15 },
];
/** Pictures to count for the above: what is on its way between two pages of a busy machine, ten at times, is little beside them. */
const PICTURES_COUNTED = 90;
/**
 * Of all six changes together: a second's pictures. A switch at fault costs as many each time, or a key frame that the viewer has to
 * ask for. Counted when they come, for on a busy machine some are decoded late or not at all.
 */
const MISSING_MAX = 20;
/** How often is looked; longer and longer, as is the default, would be most of the time. */
const intervals = [100];

for (const { mimeType, layering } of LAYERED) {
  test(`each layer of ${mimeType} ${layering} is reached from each other one`, async ({ joinAs, page, server }) => {
    await openHarness(page, server.url);
    const canEncode = await page.evaluate((codec) => window.harness.canEncode(codec), mimeType);
    test.skip(!canEncode, `this browser has no ${mimeType} encoder`);
    const call = await openLayered(joinAs, mimeType, layering);

    await test.step('sizes', async () => {
      const { missing, keyFrameRequests } = await walkSizes(call);
      expect(keyFrameRequests, 'times that the viewer could not go on').toBe(0);
      expect(missing, 'pictures that did not come').toBeLessThan(MISSING_MAX);
    });

    await test.step('frame rates', async () => {
      for (const { temporal, least, most } of TEMPORAL_PARTS) {
        // oxlint-disable-next-line no-await-in-loop
        await prefer(call, TOP, temporal);
        // oxlint-disable-next-line no-await-in-loop
        const part = await partReceived(call);
        expect(part, `part of the pictures in temporal layer ${temporal}`).toBeGreaterThan(least);
        expect(part, `part of the pictures in temporal layer ${temporal}`).toBeLessThan(most);
      }
    });
  });
}

/** What a viewer saw of six changes of size. */
interface Walk {
  /** Pictures that were sent and did not come. */
  missing: number;
  /** How often the viewer's browser could not go on, and asked for a key frame. */
  keyFrameRequests: number;
}

async function walkSizes(call: Layered): Promise<Walk> {
  const before = await received(call);
  const sentBefore = await sent(call.publisher, call.producerId);
  for (const spatial of SPATIAL_WALK) {
    // oxlint-disable-next-line no-await-in-loop
    await prefer(call, spatial, 2);
    // oxlint-disable-next-line no-await-in-loop
    await expectSize(call, spatial);
  }
  const sentAfter = await sent(call.publisher, call.producerId);
  const after = await received(call);
  const encoded = sentAfter.map(
    ({ picturesEncoded }, index) => picturesEncoded - (sentBefore[index]?.picturesEncoded ?? 0),
  );
  return {
    // Each size is made of every picture of the camera, unless the machine is too busy for one of them.
    missing: Math.round(Math.min(...encoded) - (after.framesReceived - before.framesReceived)),
    keyFrameRequests: after.pliCount - before.pliCount,
  };
}

/** Asks for layers, and is told when they flow. */
async function prefer({ subscriber, producerId, consumerId }: Layered, spatial: number, temporal: number) {
  const wish = { spatialLayer: spatial, temporalLayer: temporal };
  const answer = await subscriber.evaluate(
    ([id, layers]) => window.harness.preferLayers(id, layers.spatialLayer, layers.temporalLayer),
    [producerId, wish] as const,
  );
  expect(answer).toEqual({ preferredLayers: wish });
  await expect
    .poll(async () => (await events(subscriber, 'layersChanged')).at(-1), {
      message: `layersChanged to ${spatial}, ${temporal}`,
      intervals,
    })
    .toEqual({ consumerId, ...wish });
}

/** Pictures of the layer's size are decoded, and go on being decoded. */
async function expectSize(call: Layered, spatial: number): Promise<void> {
  let decodedBefore: number | undefined;
  await expect
    .poll(
      async () => {
        const { frameWidth, framesDecoded } = await received(call);
        if (frameWidth !== expectedWidth(await sent(call.publisher, call.producerId), spatial)) {
          decodedBefore = undefined;
          return 0;
        }
        decodedBefore ??= framesDecoded;
        return framesDecoded - decodedBefore;
      },
      { message: `pictures of spatial layer ${spatial}`, intervals },
    )
    .toBeGreaterThan(5);
}

/** Which part of the pictures that are sent comes. */
async function partReceived(call: Layered): Promise<number> {
  const count = async () => {
    const encodings = await sent(call.publisher, call.producerId);
    const { framesReceived } = await received(call);
    return { sent: encodings.at(-1)?.picturesEncoded ?? 0, received: framesReceived };
  };
  const first = await count();
  let last = first;
  await expect
    .poll(
      async () => {
        last = await count();
        return last.sent - first.sent;
      },
      { message: 'pictures sent', intervals },
    )
    .toBeGreaterThan(PICTURES_COUNTED);
  return (last.received - first.received) / (last.sent - first.sent);
}

function sent(page: Page, producerId: string) {
  return page.evaluate((id) => window.harness.sent(id), producerId);
}

function received({ subscriber, producerId }: Layered) {
  return subscriber.evaluate((id) => window.harness.received(id), producerId);
}
