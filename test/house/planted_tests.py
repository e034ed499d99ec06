"""tools/check_tests finds sleeps and names that are not sentences in CamelCase."""
import unittest

import planted


class Tests(planted.Planted):
    check = "check_tests"

    def test_accepts_a_good_test(self):
        self.accepts({"test/base/a_test.cpp": "TEST(WaitAll, ListsErrors) {}  // never sleep_for(1s)\n"})

    def test_refuses_every_kind_of_sleep(self):
        for sleep in ("std::this_thread::sleep_for(1ms)", "sleep_until (t)", "usleep(1)", "nanosleep(&t, nullptr)"):
            self.refuses({"test/base/a_test.cpp": f"void F() {{ {sleep}; }}\n"}, "never a sleep")

    def test_refuses_other_names(self):
        for test in ("TEST(WaitAll, lists_errors)", "TEST_F(wait_all, ListsErrors)", "TEST_P(WaitAll, Lists_Errors)"):
            self.refuses({"test/base/a_test.cpp": f"{test} {{}}\n"}, "test names are CamelCase")

    def test_refuses_disabled_tests(self):
        self.refuses({"test/base/a_test.cpp": "TEST(WaitAll, DISABLED_ListsErrors) {}\n"}, "disabled")


if __name__ == "__main__":
    unittest.main()
