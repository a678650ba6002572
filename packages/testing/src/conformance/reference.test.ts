import { referenceBackend } from '../reference/backend';
import { conformance } from './conformance';

conformance(async () => referenceBackend());
