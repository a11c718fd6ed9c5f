import { resolve } from 'node:path';
import type { Browser, BrowserContext } from '@playwright/test';
import { expect, test, type Page } from './fixtures/test';

const SCREENSHOTS = resolve(import.meta.dirname, '../test-results/screenshots');
/** The outage that the client must survive by itself. */
const OUTAGE_MS = 10_000;

/** A page of the real client at its landing page; nothing in its console may be an error. */
async function open(browser: Browser, url: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context: BrowserContext = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

async function join(page: Page, name: string): Promise<void> {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Join call' }).click();
  await expect(page.locator('main[data-phase=joined]')).toBeVisible();
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, animations: 'disabled' });
}

/** The tile of a person (or of a person's screen) shows moving pictures. */
async function expectMoving(page: Page, name: string, kind: 'tile' | 'screen-tile' = 'tile'): Promise<void> {
  const video = page.locator(`[data-testid=${kind}][data-name="${name}"] video`);
  await expect(video).toBeVisible();
  const frames = (): Promise<number> =>
    video.evaluate((element: HTMLVideoElement) =>
      element.videoWidth > 0 ? element.getVideoPlaybackQuality().totalVideoFrames : 0,
    );
  const before = await frames();
  await expect.poll(frames, `frames of ${name}`).toBeGreaterThan(before + 3);
}

/** The page plays sound: an audio element runs. */
async function expectPlaying(page: Page): Promise<void> {
  await expect
    .poll(() =>
      page.evaluate(() =>
        Array.from(document.querySelectorAll('audio')).some((one) => !one.paused && one.currentTime > 0),
      ),
    )
    .toBe(true);
}

test('the landing page remembers the name and takes the room from the link', async ({ browser, server, roomId }) => {
  const page = await open(browser, server.url);
  await expect(page.getByLabel('Room', { exact: true })).toHaveValue(/^[a-z]+-[a-z]+-\d+$/);
  await shoot(page, 'landing');
  await page.getByLabel('Your name').fill('Ann Fields');
  await page.goto(`${server.url}/?room=${roomId}`);
  await expect(page.getByLabel('Your name')).toHaveValue('Ann Fields');
  await expect(page.getByLabel('Room', { exact: true })).toHaveValue(roomId);
  await page.context().close();
});

test('a path names a room as well', async ({ browser, server }) => {
  const page = await open(browser, `${server.url}/r/calm-river`);
  await expect(page.getByLabel('Room', { exact: true })).toHaveValue('calm-river');
  await page.context().close();
});

test('two people meet, mute, share a screen and leave', async ({ browser, server, roomId }) => {
  const link = `${server.url}/?room=${roomId}`;
  const ann = await open(browser, link);
  await join(ann, 'Ann Fields');
  await expect(ann.getByText('You’re the only one here')).toBeVisible();
  await shoot(ann, 'alone');

  const bob = await open(browser, link);
  await join(bob, 'Bob Rivers');
  await expectMoving(ann, 'Bob Rivers');
  await expectMoving(bob, 'Ann Fields');
  await expectPlaying(ann);
  await expectPlaying(bob);
  await expect(ann.getByText('You’re the only one here')).toBeHidden();
  await shoot(ann, 'two-people');

  const bobAtAnns = ann.locator('[data-testid=tile][data-name="Bob Rivers"]');
  await test.step('the microphone by keyboard', async () => {
    await bob.keyboard.press('m');
    await expect(bob.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
    await expect(bobAtAnns.getByText('muted:')).toBeAttached();
    await bob.keyboard.press('m');
    await expect(bobAtAnns.getByText('muted:')).not.toBeAttached();
  });

  await test.step('the camera, off and on again', async () => {
    await bob.getByRole('button', { name: 'Turn camera off' }).click();
    await bob.keyboard.press('m');
    await expect(bobAtAnns.locator('video')).toHaveCount(0);
    await expect(bobAtAnns.getByText('BR')).toBeVisible();
    await expect(bobAtAnns.getByText('muted:')).toBeAttached();
    await shoot(ann, 'camera-off');
    await shoot(bob, 'camera-off-own-view');
    await bob.keyboard.press('m');
    await bob.getByRole('button', { name: 'Turn camera on' }).click();
    await expectMoving(ann, 'Bob Rivers');
  });

  await test.step('a shared screen', async () => {
    await ann.getByRole('button', { name: 'Share your screen' }).click();
    await expectMoving(bob, 'Ann Fields', 'screen-tile');
    await expect(bob.getByTestId('screen-tile').getByText('Screen', { exact: true })).toBeVisible();
    await shoot(bob, 'screen-share');
    await ann.getByRole('button', { name: 'Stop sharing' }).click();
    await expect(bob.getByTestId('screen-tile')).toHaveCount(0);
    await expect(bob.getByTestId('grid')).toBeVisible();
  });

  await test.step('somebody comes late, on a phone', async () => {
    const cleo = await open(browser, link, { viewport: { width: 390, height: 780 }, hasTouch: true });
    await join(cleo, 'Cleo');
    await expectMoving(cleo, 'Ann Fields');
    await expectMoving(cleo, 'Bob Rivers');
    await expectMoving(ann, 'Cleo');
    await shoot(cleo, 'phone');
    await shoot(ann, 'three-people');
    expect(await cleo.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
    await cleo.context().close();
    await expect(ann.locator('[data-testid=tile][data-name="Cleo"]')).toHaveCount(0);
  });

  await bob.getByRole('button', { name: 'Leave call' }).click();
  await expect(bob.getByRole('button', { name: 'Join call' })).toBeVisible();
  await expect(bobAtAnns).toHaveCount(0);
  await expect(ann.getByTestId('people-count')).toHaveText('1');
  await ann.context().close();
  await bob.context().close();
});

test('a call is joined, used and left by keyboard alone', async ({ browser, server, roomId }) => {
  const page = await open(browser, `${server.url}/?room=${roomId}`);
  const press = async (key: string): Promise<void> => page.keyboard.press(key);
  await press('Tab');
  await expect(page.getByLabel('Your name')).toBeFocused();
  // Letters that are shortcuts in the call.
  await page.keyboard.type('Mavis');
  await expect(page.locator('form')).toMatchAriaSnapshot(`
    - textbox "Your name"
    - textbox "Room"
    - button "New room"
    - group "Join with":
      - button "Microphone" [pressed]
      - button "Camera" [pressed]
    - button "Join call"
    - button "Copy room link"
  `);
  await press('Enter');
  await expect(page.locator('main[data-phase=joined]')).toBeVisible();
  const controls = page.getByRole('toolbar', { name: 'Call controls' });
  await expect(controls).toMatchAriaSnapshot(`
    - toolbar "Call controls":
      - button "Mute microphone"
      - button "Turn camera off"
      - button "Share your screen"
      - button "Leave call"
  `);
  await controls.getByRole('button', { name: 'Mute microphone' }).focus();
  await press('Space');
  await expect(controls.getByRole('button', { name: 'Unmute microphone' })).toBeFocused();
  await press('Tab');
  await press('Enter');
  await expect(controls.getByRole('button', { name: 'Turn camera on' })).toBeFocused();
  // The device takes a moment to open; the focus stays.
  await press('Enter');
  await expect(controls.getByRole('button', { name: 'Turn camera off' })).toBeFocused();
  await press('Tab');
  await press('Tab');
  await press('Enter');
  await expect(page.getByRole('button', { name: 'Join call' })).toBeVisible();
  await page.context().close();
});

test('the client meets clients of other vocabularies', async ({ browser, server, roomId, joinAs }) => {
  const ann = await open(browser, `${server.url}/?room=${roomId}`);
  await join(ann, 'Ann Fields');
  const other = await joinAs('callee', 'call');
  await other.evaluate(async () => {
    await window.harness.publish('camera');
    await window.harness.publish('microphone');
  });
  const tile = ann.getByTestId('tile');
  await expect(tile).toHaveCount(1);
  await expectMoving(ann, (await tile.getAttribute('data-name')) ?? '');
  await ann.context().close();
});

for (const [name, error, title] of [
  ['denied', 'NotAllowedError', 'Access to your microphone and camera is blocked'],
  ['missing', 'NotFoundError', 'No microphone or camera was found'],
  ['in-use', 'NotReadableError', 'Your microphone and camera cannot be opened'],
] as const) {
  test(`devices that are ${name} are explained, and the call can be joined without`, async ({
    browser,
    server,
    roomId,
  }) => {
    const page = await open(browser, 'about:blank');
    await page.addInitScript((errorName) => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', errorName));
    }, error);
    await page.goto(`${server.url}/?room=${roomId}`);
    await page.getByLabel('Your name').fill('Dee');
    await page.getByRole('button', { name: 'Join call' }).click();
    await expect(page.getByText(title)).toBeVisible();
    await shoot(page, `devices-${name}`);
    await page.getByRole('button', { name: 'Join without camera and microphone' }).click();
    await expect(page.locator('main[data-phase=joined]')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
    await page.context().close();
  });
}

test('an insecure origin is named as the cause', async ({ browser, server, roomId }) => {
  const page = await open(browser, 'about:blank');
  await page.addInitScript(() => {
    Object.defineProperty(window, 'isSecureContext', { value: false });
    Object.defineProperty(navigator, 'mediaDevices', { value: undefined });
  });
  await page.goto(`${server.url}/?room=${roomId}`);
  await page.getByLabel('Your name').fill('Ian');
  await page.getByRole('button', { name: 'Join call' }).click();
  await expect(page.getByText('cannot be used on this address')).toBeVisible();
  await page.getByRole('button', { name: 'Join without camera and microphone' }).click();
  await expect(page.locator('main[data-phase=joined]')).toBeVisible();
  await page.context().close();
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`a call recovers by itself when the server is gone for ten seconds (${signal})`, async ({
    browser,
    startServer,
    roomId,
  }) => {
    // Asked politely, it tells its clients and waits for them first.
    const ownServer = await startServer({ DRAIN_TIMEOUT_MS: '2000' });
    const link = `${ownServer.url}/?room=${roomId}`;
    const ann = await open(browser, link);
    await join(ann, 'Ann Fields');
    const bob = await open(browser, link);
    await join(bob, 'Bob Rivers');
    await expectMoving(ann, 'Bob Rivers');
    await expectMoving(bob, 'Ann Fields');

    await ownServer.stop(signal);
    await expect(ann.getByText('Reconnecting…')).toBeVisible();
    await expect(bob.getByText('Reconnecting…')).toBeVisible();
    await shoot(ann, 'reconnecting');
    // The outage itself is the scenario: no state of the page marks its end.
    await ann.waitForTimeout(OUTAGE_MS);
    await ownServer.start();

    await expect(ann.locator('main[data-phase=joined]')).toBeVisible();
    await expect(bob.locator('main[data-phase=joined]')).toBeVisible();
    await expectMoving(ann, 'Bob Rivers');
    await expectMoving(bob, 'Ann Fields');
    await expect(ann.getByTestId('people-count')).toHaveText('2');
    await ann.context().close();
    await bob.context().close();
  });
}
