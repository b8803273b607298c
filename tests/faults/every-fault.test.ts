import { FAULTS } from './all-faults.ts';
import { describeFaults } from './describe-faults.ts';

describeFaults(FAULTS);
