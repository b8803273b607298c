/**
 * Key of the advisory lock between storing and rotating: "slseg" in ASCII, as one number. Storing transactions hold it
 * shared, the rotation exclusively. The functions of migration 0009 name it too.
 */
export const SEGMENT_LOCK = 0x736c736567n;
