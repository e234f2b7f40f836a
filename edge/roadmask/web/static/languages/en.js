// The pages' own words are English: there is nothing to replace.
export default {};
