import { networkInterfaces } from 'node:os';
import { expect, expectPicture, expectSound, publish, reception, routes, test, type Page } from './fixtures/test';

/** Has a picture and sound go from one page to the other; the routes of both. */
async function expectMedia(from: Page, to: Page) {
  const video = await publish(from, 'camera');
  const audio = await publish(from, 'microphone');
  await expectPicture(to, video);
  await expectSound(to, audio);
  return [...(await routes(from)), ...(await routes(to))];
}

for (const protocol of ['udp', 'tcp'] as const) {
  test(`media flows when the browser is given ${protocol} candidates only`, async ({ joinAs }) => {
    const ann = await joinAs('ann', 'room by direction', { protocol });
    const bob = await joinAs('bob', 'room by direction', { protocol });
    const chosen = await expectMedia(ann, bob);
    // Ann sends and bob receives; the other two transports were never used.
    expect(chosen.map((route) => route.protocol)).toEqual([protocol, protocol]);
  });
}

test('a publisher over TCP is seen over UDP', async ({ joinAs }) => {
  const ann = await joinAs('ann', 'room by direction', { protocol: 'tcp' });
  const bob = await joinAs('bob', 'call', { protocol: 'udp' });
  const chosen = await expectMedia(ann, bob);
  expect(chosen.map((route) => route.protocol)).toEqual(['tcp', 'udp']);
});

for (const protocol of ['udp', 'tcp'] as const) {
  test(`each transport has a port of its own where it is asked for (${protocol})`, async ({ joinAs, startServer }) => {
    const at = await startServer({ RTC_PORTS: 'transport' });
    const ann = await joinAs('ann', 'room by direction', { at, protocol });
    const bob = await joinAs('bob', 'call', { at, protocol });
    const ports = (await expectMedia(ann, bob)).map(({ port }) => port);
    expect(ports).toHaveLength(2);
    expect(new Set(ports).size).toBe(2);
    const [first, last] = at.rtcPorts;
    for (const port of ports) {
      expect(port).toBeGreaterThanOrEqual(first);
      expect(port).toBeLessThanOrEqual(last);
    }
  });

  test(`media flows over IPv6 (${protocol})`, async ({ joinAs, startServer }) => {
    test.skip(!hasIpv6(), 'this machine has no IPv6');
    const at = await startServer({ LISTEN_IP: '::1', HTTP_LISTEN_IP: '127.0.0.1' });
    const ann = await joinAs('ann', 'room by direction', { at, protocol });
    const bob = await joinAs('bob', 'call', { at, protocol });
    const chosen = await expectMedia(ann, bob);
    expect(chosen.map(({ address }) => address)).toEqual(['::1', '::1']);
  });
}

test('of a simulcast publisher the best layer that is live is forwarded', async ({ joinAs }) => {
  const ann = await joinAs('ann', 'room by direction');
  const bob = await joinAs('bob', 'room by direction');
  const producerId = await ann.evaluate(() => window.harness.publishLayers());
  await expectPicture(bob, producerId);
  const layers = () => ann.evaluate((id) => window.harness.layerWidths(id), producerId);
  const received = async () => (await reception(bob, producerId)).frameWidth;

  // The publisher starts with the small layers and adds the others as our feedback tells it that there is room. Under
  // load it makes all of them smaller, so what counts is what it sends.
  await expect.poll(async () => (await layers()).length, 'layers sent').toBe(3);
  await expect.poll(async () => (await received()) === (await layers()).at(-1), 'the top layer arrives').toBe(true);
  const top = await received();

  await ann.evaluate((id) => window.harness.setTopLayer(id, 1), producerId);
  await expect.poll(async () => (await layers()).length, 'layers sent').toBe(2);
  await expect.poll(received, 'the next best layer arrives').toBeLessThan(top);
  await expectPicture(bob, producerId);

  await ann.evaluate((id) => window.harness.setTopLayer(id, 2), producerId);
  await expect.poll(received, 'the top layer is back').toBe(top);
});

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
}
