// Refused, but for another reason; the sentence stands in the quoted source only.
// EXPECT: the sentence that the user should see
int refused = "the sentence that the user should see";
