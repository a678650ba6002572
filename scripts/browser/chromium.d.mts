import type { Browser } from 'playwright-core';

export declare function whyNoChromium(): string | undefined;
export declare function launchChromium(options?: { readonly webgpu?: boolean }): Promise<Browser>;
