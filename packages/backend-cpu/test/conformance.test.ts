import { conformance } from '@dl/testing/conformance';
import { cpu } from '../src/index';

conformance(() => cpu());
