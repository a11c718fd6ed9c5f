import { defineConfig } from '@playwright/test';
import base from './playwright.config';

/** Measurements run alone, and say numbers instead of passing or failing. */
export default defineConfig({ ...base, testMatch: '*.measure.ts', workers: 1 });
