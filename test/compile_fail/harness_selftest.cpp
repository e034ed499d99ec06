// The smallest misuse: shows that the harness finds a sentence.
// EXPECT: HarnessSelftest: T must not be a reference
template <class T>
struct HarnessSelftest {
  static_assert(sizeof(T) == 0, "HarnessSelftest: T must not be a reference");
};
HarnessSelftest<int> refused;
