// EXPECT: this file compiles, so the harness must report it
int accepted = 0;
