/** The console's own icon: a line that holds. */
export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="8" fill="#0a6c74"/>
<path d="M11 8v16M21 8v16M11 16h10" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round"/>
<circle cx="16" cy="16" r="2.6" fill="#0a6c74" stroke="#fff" stroke-width="2"/>
</svg>
`;
